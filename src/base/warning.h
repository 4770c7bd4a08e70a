// What people should know though the program goes on, from parts of it that know neither a journal
// nor a terminal.
#pragma once

#include <functional>
#include <string>

namespace easgd {

using WarningSink = std::function<void(const std::string& message)>;

/// Passes on a warning to whoever listens, else to standard error. From any thread.
void warn(const std::string& message);

/// While one lives, warnings go to its sink, which is called from any thread, one call at a time;
/// then to where they went before.
class WarningScope {
 public:
  explicit WarningScope(WarningSink sink);
  ~WarningScope();
  WarningScope(const WarningScope&) = delete;
  WarningScope& operator=(const WarningScope&) = delete;

 private:
  WarningSink before_;
};

}  // namespace easgd
