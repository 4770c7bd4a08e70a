#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/standard_output.h"
#include "commands/commands.h"
#include "data/location.h"

namespace easgd {
namespace {

struct Arguments {
  std::string set, dir;
};

}  // namespace

void declare_locate(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("locate", "where a data set would be read from");
  command->add_option("set", a->set, "name of the data set")->required();
  command->add_option("--dir", a->dir, "its folder or its parent");
  command->callback([a, &result] {
    const auto place = locate(a->set, a->dir);
    output("{}\n", place ? *place : why_not_located(a->set, a->dir, "--dir"));
    result = place ? ExitCode::done : ExitCode::data;
  });
}

}  // namespace easgd
