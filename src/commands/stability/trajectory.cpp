#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"
#include "theory/round_robin.h"

namespace easgd::stability {
namespace {

struct Arguments {
  Format format;
  std::string method = "easgd";
  theory::RoundRobin scheme = kUsualScheme;
  double start = 1000;
  long activations = 300000, every = 1000;
};

void print_trajectory(const Arguments& a) {
  const auto follow = a.method == "admm" ? theory::admm_trajectory : theory::easgd_trajectory;
  const theory::Trajectory path = follow(a.scheme, a.start, a.activations, a.every);
  std::vector<nlohmann::ordered_json> rows;
  for (std::size_t i = 0; i < path.center.size(); ++i) {
    rows.push_back({{"activation", path.activation[i]}, {"center", path.center[i]}});
  }
  print(rows, a.format);
}

}  // namespace

void declare_trajectory(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = *stability.add_subcommand(
      "trajectory", "the center after each activation, from a start far away");
  add_format(command, a->format);
  add_workers(command, a->scheme.workers, kMostRoundRobinWorkers);
  add_learning_rate(command, a->scheme.learning_rate);
  add_curvature(command, a->scheme.curvature);
  add_method(command, a->method);
  add_rho(command, a->scheme.rho);
  add_start(command, a->start);
  command.add_option("--activations", a->activations, "how many")->check(within(1, 1e9));
  command.add_option("--every", a->every, "print every n-th")->check(within(1, 1e9));
  command.callback([a, &result] {
    print_trajectory(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
