#include "commands/stability/options.h"

#include <fmt/format.h>

namespace easgd::stability {

CLI::Validator within(double low, double high) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value);
        if (number && value >= low && value <= high) return {};
        return fmt::format("expected a value in {}..{}, found {}", low, high, text);
      },
      fmt::format("{}..{}", low, high));
}

void add_workers(CLI::App& command, int& workers, double most) {
  command.add_option("--workers", workers, "p")->check(within(1, most));
}

void add_learning_rate(CLI::App& command, double& learning_rate, double least) {
  command.add_option("--learning-rate", learning_rate, "eta")->check(within(least, 1e6));
}

CLI::Option* add_alpha(CLI::App& command, double& alpha, double least) {
  return command.add_option("--alpha", alpha, "moving rate")
      ->check(within(least, 1e6))
      ->default_str("beta / workers");
}

void add_curvature(CLI::App& command, double& curvature) {
  command.add_option("--curvature", curvature, "h of F = h x^2 / 2")->check(within(1e-12, 1e12));
}

void add_method(CLI::App& command, std::string& method) {
  command.add_option("--method", method, "admm or easgd")->check(CLI::IsMember({"admm", "easgd"}));
}

void add_rho(CLI::App& command, double& rho) {
  command.add_option("--rho", rho, "penalty; alpha = eta rho")->check(within(0, 1e9));
}

void add_start(CLI::App& command, double& start) {
  command.add_option("--start", start, "of all variables, but multipliers, which start at 0")
      ->check(within(-1e9, 1e9));
}

void add_steps(CLI::App& command, std::vector<long>& steps) {
  command.add_option("--steps", steps, "steps to report")->check(within(1, 1e9));
}

double cycle_radius(const std::string& method, const theory::RoundRobin& scheme) {
  return method == "admm" ? theory::admm_spectral_radius(scheme)
                          : theory::easgd_spectral_radius(scheme);
}

}  // namespace easgd::stability
