#include "sweep/start_run.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "base/exit_code.h"

namespace easgd {
namespace {

/// Somebody has ended it, or its device was lost: its checkpoint is as good as before.
bool comes_from_outside(int code) {
  constexpr int kOthers[] = {int(ExitCode::device),
                             int(ExitCode::interrupted),
                             int(ExitCode::abandoned),
                             128 + SIGHUP,
                             128 + SIGKILL,
                             128 + SIGTERM};
  return std::ranges::find(kOthers, code) != std::end(kOthers);
}

/// The command that begins it.
std::vector<std::string> training_of(const SweepFolder& folder, const Waiting& next) {
  const std::string& id = next.run->identity();
  const std::string run = folder.run(id).string();
  std::vector<std::string> words = {own_program().string(), "train"};
  if (next.beginning == Beginning::from_checkpoint) {
    words.insert(words.end(), {"--resume", run});
  } else {
    words.insert(words.end(), {folder.config(id).string(), "--out", run});
  }
  if (next.pause) words.insert(words.end(), {"--pause-at", next.pause->text()});
  return words;
}

}  // namespace

Running start_run(const SweepFolder& folder, Waiting next, const Share& share) {
  const std::string& id = next.run->identity();
  if (next.attempt == 1) folder.clear_log(id);
  if (!folder.can_go_on(id)) next.beginning = Beginning::anew;
  if (next.beginning == Beginning::anew) {
    folder.clear_run(id);
    folder.write_config(id, next.run->config);
  }
  const std::uintmax_t said_before = folder.log_size(id);
  Command command{.words = training_of(folder, next), .log = folder.log(id)};
  if (!share.devices.empty()) {
    constexpr const char* kVisible = "CUDA_VISIBLE_DEVICES";
    const char* ours = std::getenv(kVisible);
    command.environment[kVisible] = visible_devices(share.devices, ours ? ours : "");
  }
  return {.begun = next,
          .share = share,
          .process = std::make_unique<ChildProcess>(command),
          .tail = MetricsTail(folder.run(id)),
          .said_before = said_before};
}

Beginning beginning_after(const Waiting& begun, int code) {
  const bool is_lost = begun.beginning == Beginning::from_checkpoint && !comes_from_outside(code);
  return is_lost ? Beginning::anew : Beginning::from_checkpoint;
}

}  // namespace easgd
