// best.safetensors: the center with the lowest test error, as it was evaluated.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/view.h"
#include "evaluate/evaluator.h"
#include "nn/network.h"
#include "runs/run_folder.h"

namespace easgd {

/// Thread: the evaluator's, but for what makes it.
class BestFile {
 public:
  /// `metadata` as in CenterFile. Goes on with the file that an earlier part of the run has left.
  /// Folder and network must outlive it.
  BestFile(RunFolder& folder, const Network& network, std::map<std::string, std::string> metadata);

  /// Writes the state [P + S] that was evaluated, if its error is the lowest so far and its loss is
  /// finite.
  /// Throws: DataError.
  void offer(const Evaluation& evaluation, ConstView state);

 private:
  RunFolder& folder_;
  const Network& network_;
  const std::map<std::string, std::string> metadata_;
  double lowest_;
};

}  // namespace easgd
