#include "base/warning.h"

#include <mutex>
#include <utility>

#include "base/terminal.h"

namespace easgd {
namespace {

void write_to_standard_error(const std::string& message) {
  write_line("warning: " + message);
}

std::mutex mutex;  // of the sink
WarningSink& sink() {
  static WarningSink instance = write_to_standard_error;
  return instance;
}

}  // namespace

void warn(const std::string& message) {
  const std::lock_guard lock(mutex);
  sink()(message);
}

WarningScope::WarningScope(WarningSink own) {
  const std::lock_guard lock(mutex);
  before_ = std::exchange(sink(), std::move(own));
}

WarningScope::~WarningScope() {
  const std::lock_guard lock(mutex);
  sink() = std::move(before_);
}

}  // namespace easgd
