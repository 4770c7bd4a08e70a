#include "exchange/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/fnv1a.h"
#include "base/unreadable.h"
#include "settings/dump.h"
#include "settings/load.h"

namespace easgd {
namespace {

using Magic = std::array<char, 16>;
constexpr Magic kMagic = {"easgd order 4\n\0"}, kMagicWithIncidents = {"easgd order 5\n\0"};
constexpr Magic kEarlier = {"easgd order 2\n\0"}, kEarlierWithIncidents = {"easgd order 3\n\0"};
constexpr std::uint16_t kTail = 0xffff;

/// Leaves the file in a state of failure if it is none of this recording.
std::vector<Incident> read_incidents(std::ifstream& file, const Recording& of) {
  std::uint64_t count = 0;
  file.read(reinterpret_cast<char*>(&count), sizeof count);
  if (count == 0) file.setstate(std::ios::failbit);  // such a file has another beginning
  std::vector<Incident> incidents;
  for (std::uint64_t i = 0; i < count && file; ++i) {
    Incident& incident = incidents.emplace_back();
    for (std::uint64_t* field : {&incident.at, &incident.worker}) {
      file.read(reinterpret_cast<char*>(field), sizeof *field);
    }
    file.read(reinterpret_cast<char*>(&incident.kind), sizeof incident.kind);
    file.read(reinterpret_cast<char*>(&incident.clock), sizeof incident.clock);
    const bool is_at_end = incident.kind >= Incident::Kind::gone;
    const bool has_visit =
        incident.at < of.letters.size() && of.letters[incident.at] == incident.worker;
    const bool is_sound = incident.kind <= Incident::Kind::went_back &&
                          incident.worker < of.steps.size() &&
                          (is_at_end ? incident.at == of.letters.size() : has_visit) &&
                          (i == 0 || incidents[i - 1].at <= incident.at);
    if (!is_sound) file.setstate(std::ios::failbit);
  }
  return incidents;
}

/// Whether the last of its bytes are the checksum of those before.
bool is_whole(const std::filesystem::path& path, std::uint64_t size) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t hash = fnv1a(""), expected = 0, left = size - std::min(size, sizeof expected);
  std::string part(1 << 20, '\0');
  while (left > 0) {
    const std::size_t count = std::min<std::uint64_t>(left, part.size());
    if (!file.read(part.data(), std::streamsize(count))) return false;
    hash = fnv1a(std::string_view(part).substr(0, count), hash);
    left -= count;
  }
  return file.read(reinterpret_cast<char*>(&expected), sizeof expected) && hash == expected;
}

std::string replay_config_in(const Recording& recording, const std::string& file) {
  try {
    return dump_replay_config(parse_config(recording.config, file, {}), /*recomputes=*/true);
  } catch (const ConfigError& error) {
    throw DataError(fmt::format(
        "{}; it was changed since it was written, or is of another version of this program",
        error.what()));
  }
}

}  // namespace

Recording Recording::read(const std::filesystem::path& path, std::size_t workers) {
  if (const std::string why = why_unreadable(path); !why.empty()) {
    throw DataError(fmt::format("{}: {}; expected an order.bin", path.string(), why));
  }
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw DataError(path.string() + ": is no regular file; expected an order.bin");
  std::ifstream file(path, std::ios::binary);
  Magic magic{};
  std::uint32_t recorded = 0;
  file.read(magic.data(), magic.size());
  file.read(reinterpret_cast<char*>(&recorded), sizeof recorded);
  const bool has_incidents = magic == kMagicWithIncidents || magic == kEarlierWithIncidents;
  const bool has_checksum = magic == kMagic || magic == kMagicWithIncidents;
  if (!file || (!has_incidents && !has_checksum && magic != kEarlier))
    throw DataError(path.string() + ": is not an order.bin of easgd");
  if (has_checksum && !is_whole(path, size))
    throw DataError(path.string() + ": is cut short or damaged: its checksum is another");
  if (recorded != workers) {
    throw DataError(
        fmt::format("{}: is of {} workers; this run has {}", path.string(), recorded, workers));
  }
  Recording result;
  std::uint32_t length = 0;
  file.read(reinterpret_cast<char*>(&length), sizeof length);
  if (file && length < size) {
    result.config.resize(length);
    file.read(result.config.data(), std::streamsize(length));
  } else {
    file.setstate(std::ios::failbit);
  }
  std::uint16_t letter = 0;
  while (file.read(reinterpret_cast<char*>(&letter), sizeof letter) && letter != kTail) {
    if (letter >= workers) {
      throw DataError(fmt::format("{}: letter {}: expected a worker below {}, found {}",
                                  path.string(), result.letters.size(), workers, letter));
    }
    result.letters.push_back(letter);
  }
  result.steps.resize(workers);
  file.read(reinterpret_cast<char*>(result.steps.data()),
            std::streamsize(workers * sizeof(std::uint64_t)));
  if (has_incidents) result.incidents = read_incidents(file, result);
  if (std::uint64_t checksum = 0; has_checksum) {
    file.read(reinterpret_cast<char*>(&checksum), sizeof checksum);
  }
  if (!file || file.peek() != std::ifstream::traits_type::eof()) {
    throw DataError(path.string() + ": is cut short or damaged");
  }
  return result;
}

void Recording::check_repeats(const std::string& here, const std::string& file) const {
  const std::string recorded = replay_config_in(*this, file);
  std::istringstream a(recorded), b(here);
  for (std::string was, is, table; std::getline(a, was) && std::getline(b, is);) {
    if (was != is) {
      throw KeyError("center.replay",
                     fmt::format("the recorded run had \"{}\", this one has \"{}\" in {}; a "
                                 "replay repeats a run from its own config.toml",
                                 was, is, table.empty() ? "the top table" : table));
    }
    if (is.starts_with('[')) table = is;
  }
  if (recorded.size() != here.size()) {
    throw KeyError("center.replay", "the recorded run had other keys than this one");
  }
}

void Recording::write(std::ostream& file, std::size_t workers) const {
  std::uint64_t hash = fnv1a("");
  const auto put = [&](const void* data, std::size_t bytes) {
    const std::string_view view(static_cast<const char*>(data), bytes);
    hash = fnv1a(view, hash);
    file.write(view.data(), std::streamsize(view.size()));
  };
  const auto count = std::uint32_t(workers), length = std::uint32_t(config.size());
  const Magic& magic = incidents.empty() ? kMagic : kMagicWithIncidents;
  put(magic.data(), magic.size());
  put(&count, sizeof count);
  put(&length, sizeof length);
  put(config.data(), config.size());
  put(letters.data(), letters.size() * sizeof letters[0]);
  put(&kTail, sizeof kTail);
  put(steps.data(), steps.size() * sizeof steps[0]);
  const std::uint64_t number = incidents.size();
  if (number > 0) put(&number, sizeof number);
  for (const Incident& incident : incidents) {
    const std::uint64_t fields[] = {incident.at, incident.worker, std::uint64_t(incident.kind),
                                    incident.clock};
    put(fields, sizeof fields);
  }
  const std::uint64_t checksum = hash;
  put(&checksum, sizeof checksum);
}

const Incident* Recording::find(Incident::Kind kind, std::uint64_t visit) const {
  auto at = std::ranges::lower_bound(incidents, visit, {}, &Incident::at);
  for (; at != incidents.end() && at->at == visit; ++at) {
    if (at->kind == kind) return &*at;
  }
  return nullptr;
}

std::vector<std::vector<LifeEnd>> Recording::lives() const {
  std::vector<std::vector<LifeEnd>> lives(steps.size());
  std::vector<std::uint64_t> visits(steps.size());
  std::uint64_t counted = 0;
  for (const Incident& incident : incidents) {
    if (incident.kind == Incident::Kind::refused || incident.kind == Incident::Kind::went_back) {
      continue;
    }
    for (; counted < incident.at; ++counted) ++visits[letters[counted]];
    const bool begins_again = incident.kind == Incident::Kind::began;
    counted += begins_again;  // its own visit is none of a life
    std::uint64_t& own = visits[incident.worker];
    lives[incident.worker].push_back({std::exchange(own, 0), incident.clock, begins_again});
  }
  return lives;
}

}  // namespace easgd
