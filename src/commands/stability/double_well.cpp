#include "theory/double_well.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"

namespace easgd::stability {
namespace {

struct Arguments {
  Format format;
  double rho = 0.5;
};

void print_double_well(const Arguments& a) {
  const auto values = theory::double_well_eigenvalues(a.rho);
  const nlohmann::ordered_json result = {{"rho", a.rho},
                                         {"smallest_eigenvalue", values[0]},
                                         {"middle_eigenvalue", values[1]},
                                         {"largest_eigenvalue", values[2]},
                                         {"trapped", values[0] > 0}};
  print(result, a.format);
}

}  // namespace

void declare_double_well(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command =
      *stability.add_subcommand("double-well", "when EASGD is trapped between two minima");
  add_format(command, a->format);
  command.add_option("--rho", a->rho, "penalty")->check(within(0, 0.9999999));
  command.callback([a, &result] {
    print_double_well(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
