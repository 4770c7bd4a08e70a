#include "runs/run_record.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/unreadable.h"
#include "settings/load.h"

namespace easgd {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kSummary = "summary.json";

void check_readable(const fs::path& path, std::uint64_t most, const char* expected) {
  const std::string why = why_unreadable(path, most);
  if (why.empty()) return;
  throw DataError(fmt::format("{}: {}; expected {}", path.string(), why, expected));
}

std::string bytes_of(const fs::path& path, std::uint64_t most, const char* expected) {
  check_readable(path, most, expected);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Does `read` with the JSON in `text`; what is wrong with it is reported with `place`.
template <class Read>
void read_json(const std::string& place, const std::string& text, const Read& read) {
  try {
    read(json::parse(text));
  } catch (const json::exception&) {
    throw DataError(place + ": is not valid JSON");
  } catch (const DataError& e) {
    throw DataError(place + ": " + e.what());
  }
}

std::vector<Event> read_events(const fs::path& path) {
  std::istringstream lines(bytes_of(path, kLongestLog, "the folder of a run"));
  std::vector<Event> events;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    read_json(fmt::format("{}:{}", path.string(), ++number), line, [&](const json& object) {
      if (auto event = event_of(object)) events.push_back(std::move(*event));
    });
  }
  return events;
}

RunSummary read_summary(const fs::path& path) {
  RunSummary summary;
  read_json(path.string(), bytes_of(path, kLongestText, "a run's summary"),
            [&](const json& object) { summary = summary_of(object); });
  return summary;
}

}  // namespace

RunRecord read_run(const fs::path& folder) {
  RunRecord record{folder, {}, {}, read_events(folder / "metrics.jsonl")};
  record.config = find_run_config(folder);
  const fs::path summary = folder / kSummary;
  std::error_code ignored;
  if (fs::exists(summary, ignored)) record.summary = read_summary(summary);
  return record;
}

std::optional<Config> find_run_config(const fs::path& folder) {
  const fs::path path = folder / "config.toml";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  check_readable(path, kLongestText, "a run's configuration");
  return load_config(path.string(), {});
}

std::optional<RunSummary> find_summary(const fs::path& folder) {
  try {
    return read_summary(folder / kSummary);
  } catch (const DataError&) {
    return std::nullopt;
  }
}

}  // namespace easgd
