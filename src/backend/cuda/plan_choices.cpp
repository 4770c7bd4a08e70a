#include "backend/cuda/plan_choices.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include "backend/cuda/device_locks.h"
#include "base/warning.h"

namespace easgd::cuda {
namespace {

constexpr std::string_view kIs = " = ";

struct Choice {
  std::string question;
  std::size_t rank = 0;
};

/// Nothing if the line is none.
std::optional<Choice> parse(const std::string& line) {
  const std::size_t is = line.rfind(kIs);
  if (is == line.npos) return std::nullopt;
  Choice choice{line.substr(0, is), 0};
  const char *const from = line.data() + is + kIs.size(), *const end = line.data() + line.size();
  const auto [last, mistake] = std::from_chars(from, end, choice.rank);
  if (mistake != std::errc() || last != end) return std::nullopt;
  return choice;
}

std::filesystem::path users_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value ? value : "");
  };
  std::filesystem::path caches = variable("XDG_CACHE_HOME");
  if (!caches.is_absolute()) {  // as its specification has it
    const std::filesystem::path home = variable("HOME");
    if (home.empty()) return {};
    caches = home / ".cache";
  }
  return caches / "easgd" / "convolution_plans.txt";
}

}  // namespace

void PlanChoices::read() {
  std::error_code error;
  if (std::filesystem::status(path_, error).type() == std::filesystem::file_type::not_found) return;
  errno = 0;
  std::ifstream file(path_);
  if (!file) {
    return warn_once(fmt::format("{}: cannot be read: {}; plans are searched for anew",
                                 path_.string(), std::strerror(errno)));
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (const auto choice = parse(line)) {
      known_.emplace(choice->question, choice->rank);
    } else {
      warn_once(
          fmt::format("{}:{}: expected \"QUESTION = NUMBER\", found \"{}\"; the line is passed "
                      "over",
                      path_.string(), number, line));
    }
  }
}

/// In one piece, whoever else is adding.
void PlanChoices::add(const std::string& question, std::size_t rank) {
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  errno = 0;
  std::ofstream file(path_, std::ios::app);
  file << fmt::format("{}{}{}\n", question, kIs, rank) << std::flush;
  if (file) return;
  warn_once(fmt::format("{}: cannot be written: {}; the next start will search for plans again",
                        path_.string(), error ? error.message() : std::strerror(errno)));
}

void PlanChoices::warn_once(const std::string& message) {
  if (warnings_.insert(message).second) warn(message);
}

std::size_t PlanChoices::find(const std::string& question,
                              const std::function<std::size_t()>& search) {
  const DeviceSyncLock device_lock;
  const std::lock_guard lock(mutex_);
  if (!read_ && !path_.empty()) read();
  read_ = true;
  const auto known = known_.find(question);
  if (known != known_.end()) return known->second;
  const std::size_t rank = search();
  if (!path_.empty()) {
    add(question, rank);
    read();  // another process may have answered meanwhile
  }
  return known_.emplace(question, rank).first->second;
}

PlanChoices& users_plan_choices() {
  static PlanChoices choices(users_file());
  return choices;
}

}  // namespace easgd::cuda
