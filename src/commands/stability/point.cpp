#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"
#include "theory/round_robin.h"

namespace easgd::stability {
namespace {

/// By which an eigenvalue of 1 may come out larger.
constexpr double kRounding = 1e-12;

struct Arguments {
  Format format;
  std::string method = "easgd";
  theory::RoundRobin scheme = kUsualScheme;
};

void print_point(const Arguments& a) {
  const double radius = cycle_radius(a.method, a.scheme);
  nlohmann::ordered_json result = {{"method", a.method},
                                   {"workers", a.scheme.workers},
                                   {"learning_rate", a.scheme.learning_rate},
                                   {"rho", a.scheme.rho},
                                   {"alpha", a.scheme.alpha()},
                                   {"curvature", a.scheme.curvature},
                                   {"spectral_radius", radius},
                                   {"stable", radius <= 1 + kRounding}};
  if (a.method == "easgd") {
    result["inside_proven_region"] = theory::easgd_is_proven_stable(a.scheme);
  } else {
    result["inside_proven_region"] = nullptr;  // there is none
    result["single_map_stable"] = theory::admm_single_map_is_stable(a.scheme);
  }
  print(result, a.format);
}

}  // namespace

void declare_point(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command =
      *stability.add_subcommand("point", "spectral radius of one round-robin cycle");
  add_format(command, a->format);
  add_workers(command, a->scheme.workers, kMostRoundRobinWorkers);
  add_learning_rate(command, a->scheme.learning_rate);
  add_curvature(command, a->scheme.curvature);
  add_method(command, a->method);
  add_rho(command, a->scheme.rho);
  command.callback([a, &result] {
    print_point(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
