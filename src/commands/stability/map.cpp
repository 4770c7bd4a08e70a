#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"
#include "theory/round_robin.h"

namespace easgd::stability {
namespace {

constexpr int kMostValues = 10000;  // on one axis

struct Arguments {
  Format format;
  std::string method = "easgd";
  int workers = kUsualScheme.workers;
  double curvature = kUsualScheme.curvature;
  std::string learning_rates = "0.0001:0.01:100", rhos = "0.1:10:100";
};

/// The values of "0.1:10:100": from, to, count; none is negative.
std::vector<double> values_of(const std::string& text, const char* option) {
  double low = 0, high = 0;
  int count = 0, used = 0;
  const int read = std::sscanf(text.c_str(), "%lf:%lf:%d%n", &low, &high, &count, &used);
  if (read != 3 || std::size_t(used) != text.size() || !(0 <= low && low <= high) || count < 1 ||
      count > kMostValues) {
    throw ConfigError(fmt::format(
        "{}: expected FROM:TO:COUNT of 0 or more, as in 0.1:10:100; found \"{}\"", option, text));
  }
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(count == 1 ? low : low + (high - low) * i / (count - 1));
  }
  return values;
}

void print_map(const Arguments& a) {
  const std::vector<double> etas = values_of(a.learning_rates, "--learning-rates");
  const std::vector<double> rhos = values_of(a.rhos, "--rhos");
  std::vector<nlohmann::ordered_json> rows;
  for (const double eta : etas) {
    for (const double rho : rhos) {
      rows.push_back(
          {{"learning_rate", eta},
           {"rho", rho},
           {"spectral_radius", cycle_radius(a.method, {a.workers, eta, rho, a.curvature})}});
    }
  }
  print(rows, a.format);
}

}  // namespace

void declare_map(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = *stability.add_subcommand(
      "map", "spectral radius over a grid of eta and rho (the paper's first figure)");
  add_format(command, a->format);
  add_workers(command, a->workers, kMostRoundRobinWorkers);
  add_curvature(command, a->curvature);
  add_method(command, a->method);
  command.add_option("--learning-rates", a->learning_rates, "FROM:TO:COUNT");
  command.add_option("--rhos", a->rhos, "FROM:TO:COUNT");
  command.callback([a, &result] {
    print_map(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
