// events.out.tfevents.*: the numbers of metrics.jsonl as TensorBoard reads them, and the
// hyper-parameters and the end of the run for its HParams page.
//
// The x axis, "step", counts gradient steps of all workers together: for an evaluation those that
// the center holds. No description of the whole experiment is written: without one TensorBoard puts
// together the keys of all runs that it sees, and knows which of them differ.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "base/appended_file.h"
#include "base/failures_in_row.h"
#include "runs/events.h"
#include "runs/run_folder.h"
#include "runs/summary.h"
#include "settings/config.h"

namespace easgd {

/// Thread: any. A disk that is full costs events, and now and then a warning, not the run.
class EventFile {
 public:
  /// Both have to outlive it.
  EventFile(RunFolder& folder, const Config& config);

  /// Makes the file. A run that goes on does so after `step`: what an earlier file has of later
  /// steps is forgotten by its reader.
  void begin(std::uint64_t step = 0);
  void log(const Event& event);
  /// The last record.
  void end(RunStatus status);

 private:
  void put(const std::string& message);
  void put_hparams(const char* tag, std::string_view data);

  RunFolder& folder_;
  const Config& config_;
  const std::string seconds_;  // tag of an evaluation's time
  std::mutex mutex_;           // of the file
  AppendedFile file_;
  FailuresInRow failures_;
};

}  // namespace easgd
