#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "backend/cuda_library.h"
#include "base/standard_output.h"
#include "base/usable_cores.h"
#include "commands/commands.h"
#include "exchange/place_center.h"
#include "exchange/worker_placement.h"

namespace easgd {
namespace {

std::string cell(const DevicePath& path) {
  if (!path.exact) return "WRONG BITS";
  return fmt::format("{:.1f} {}", path.speed / 1e9, path.peer ? "peer" : "host");
}

/// A row for each memory that sends, a column for each that receives.
void print_paths(const std::vector<DevicePath>& paths, std::size_t memories) {
  output(
      "\nGB/s from (row) to (column), by peer access or through the host; every path was tried "
      "bit by bit\n{:<8}",
      "");
  // Each sends to all others, in one order.
  const std::size_t others = memories - 1;
  for (std::size_t i = 0; i < memories; ++i) output(" {:>11}", paths[i * others].from);
  for (std::size_t from = 0; from < memories; ++from) {
    output("\n{:<8}", paths[from * others].from);
    for (std::size_t to = 0; to < memories; ++to) {
      const std::size_t path = from * others + (to < from ? to : to - 1);
      output(" {:>11}", to == from ? "-" : cell(paths[path]));
    }
  }
  output("\n");
}

/// GB/s of letters out of a device and of replies into it, by the calls that training makes.
void print_letters(std::size_t device) {
  constexpr std::size_t kCount = (std::size_t{64} << 20) / sizeof(float);
  constexpr int kLetters = 8;
  const auto backend = make_backend("cuda", {.index = int(device)});
  const Buffer x = backend->allocate(kCount);
  const Buffer letter = backend->allocate_mailbox(kCount);
  const auto speed_of = [&](const auto& send) {
    send();  // warm
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kLetters; ++i) send();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return kLetters * double(kCount * sizeof(float)) / took.count() / 1e9;
  };
  const double out = speed_of([&] {
    const ConstView parts[] = {x};
    backend->letters().post(parts, letter, [] {});
    backend->letters().wait_posted();
  });
  const double in = speed_of([&] {
    backend->letters().fetch(letter);
    backend->finish();
  });
  output("{:<8} {:.1f} GB/s of letters to the host, {:.1f} of replies from it\n", backend->device(),
         out, in);
}

void print_devices() {
  output("{:<8} {}\n", "cpu", describe_cores());
  try {
    load_cuda();
    const auto devices = Registry<BackendKind>::get("cuda").devices();
    for (std::size_t i = 0; i < devices.size(); ++i) {
      output("{:<8} {}\n", fmt::format("cuda:{}", i), devices[i].description);
      if (!devices[i].why_not.empty()) output("{:<8} not used: {}\n", "", devices[i].why_not);
    }
    print_paths(Registry<BackendKind>::get("cuda").measure_paths(), devices.size() + 1);
    output("\n");
    for (std::size_t i = 0; i < devices.size(); ++i) {
      if (devices[i].why_not.empty()) print_letters(i);
    }
  } catch (const DeviceError& e) {
    output("{:<8} {}\n", "cuda", e.what());
  }
}

}  // namespace

void declare_devices(CLI::App& app, ExitCode& result) {
  auto* command = app.add_subcommand(
      "devices", "what workers.devices and center.place can name here, and the paths between them");
  command->callback([&result] {
    print_devices();
    result = ExitCode::done;
  });
}

}  // namespace easgd
