#pragma once

#include <optional>
#include <string>

#include "runs/progress.h"
#include "runs/run_client.h"

namespace easgd {

/// Shows a run on standard error.
class Terminal : public RunClient {
 public:
  void line(const std::string& text) override;
  void show(const ProgressState& state) override;
  void end() override;

 private:
  std::optional<Progress> progress_;
};

}  // namespace easgd
