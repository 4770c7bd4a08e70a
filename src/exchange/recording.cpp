#include "exchange/recording.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/unreadable.h"
#include "settings/dump.h"
#include "settings/load.h"

namespace easgd {
namespace {

constexpr std::array<char, 16> kMagic = {"easgd order 2\n\0"};
constexpr std::uint16_t kTail = 0xffff;

}  // namespace

Recording Recording::read(const std::filesystem::path& path, std::size_t workers) {
  if (const std::string why = why_unreadable(path); !why.empty()) {
    throw DataError(fmt::format("{}: {}; expected an order.bin", path.string(), why));
  }
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw DataError(path.string() + ": is no regular file; expected an order.bin");
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> magic{};
  std::uint32_t recorded = 0;
  file.read(magic.data(), magic.size());
  file.read(reinterpret_cast<char*>(&recorded), sizeof recorded);
  if (!file || magic != kMagic) throw DataError(path.string() + ": is not an order.bin of easgd");
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
  if (!file || file.peek() != std::ifstream::traits_type::eof()) {
    throw DataError(path.string() + ": is cut short or damaged");
  }
  return result;
}

void Recording::check_repeats(const std::string& here) const {
  const std::string recorded = dump_config(parse_config(config, "order.bin", {}));
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
  const auto put = [&file](const void* data, std::size_t bytes) {
    file.write(static_cast<const char*>(data), std::streamsize(bytes));
  };
  const auto count = std::uint32_t(workers), length = std::uint32_t(config.size());
  put(kMagic.data(), kMagic.size());
  put(&count, sizeof count);
  put(&length, sizeof length);
  put(config.data(), config.size());
  put(letters.data(), letters.size() * sizeof letters[0]);
  put(&kTail, sizeof kTail);
  put(steps.data(), steps.size() * sizeof steps[0]);
}

}  // namespace easgd
