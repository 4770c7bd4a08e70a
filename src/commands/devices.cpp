#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "backend/cuda_library.h"
#include "commands/commands.h"
#include "train/devices.h"

namespace easgd {
namespace {

void print_devices() {
  fmt::print("{:<8} {} cores\n", "cpu", allowed_cores().size());
  try {
    load_cuda();
    const auto devices = Registry<DeviceList>::find("cuda")->list();
    for (std::size_t i = 0; i < devices.size(); ++i) {
      fmt::print("{:<8} {}\n", fmt::format("cuda:{}", i), devices[i]);
    }
  } catch (const DeviceError& e) {
    fmt::print("{:<8} {}\n", "cuda", e.what());
  }
}

}  // namespace

void declare_devices(CLI::App& app, ExitCode& result) {
  auto* command = app.add_subcommand("devices", "what workers.devices can name on this machine");
  command->callback([&result] {
    print_devices();
    result = ExitCode::done;
  });
}

}  // namespace easgd
