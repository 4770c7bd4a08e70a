#include "runs/checkpoint_file.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <string_view>
#include <type_traits>

#include "base/one_line.h"
#include "base/unreadable.h"
#include "runs/tf_record.h"

namespace easgd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kKind = "easgd checkpoint ", kMagic = "easgd checkpoint 1\n";
constexpr const char* kEnd = "end";
constexpr std::size_t kLongestName = 4096, kShown = 120;

template <class Value>
std::string_view bytes_of(const Value& value) {
  if constexpr (std::is_arithmetic_v<Value>) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  } else {
    return {reinterpret_cast<const char*>(value.data()), value.size() * sizeof(value[0])};
  }
}

constexpr std::size_t kHead = 1 + sizeof(std::uint32_t) + sizeof(std::uint64_t);

/// A section on its way to the file.
class SectionWriter {
 public:
  explicit SectionWriter(std::ostream& file) : file_(file) {}

  void write(const std::string& name, const SavedState& values) {
    put(std::uint32_t(name.size()));
    put(name);
    put(size_of(values.vectors) + size_of(values.counters) + size_of(values.numbers) +
        size_of(values.texts));
    put_all('f', values.vectors);
    put_all('u', values.counters);
    put_all('d', values.numbers);
    put_all('t', values.texts);
    file_.write(reinterpret_cast<const char*>(&crc_), sizeof crc_);
  }

 private:
  template <class Value>
  static std::uint64_t size_of(const std::map<std::string, Value>& all) {
    std::uint64_t size = 0;
    for (const auto& [name, value] : all) size += kHead + name.size() + bytes_of(value).size();
    return size;
  }
  template <class Value>
  void put_all(char kind, const std::map<std::string, Value>& all) {
    for (const auto& [name, value] : all) {
      put(kind);
      put(std::uint32_t(name.size()));
      put(name);
      put(std::uint64_t(value.size()));
      put(value);
    }
  }
  template <class Value>
  void put(const Value& value) {
    const std::string_view bytes = bytes_of(value);
    crc_ = crc32c(bytes, crc_);
    file_.write(bytes.data(), std::streamsize(bytes.size()));
  }

  std::ostream& file_;
  std::uint32_t crc_ = 0;
};

/// Bytes that are taken from the front, as far as there are so many.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }

  std::string_view take(std::uint64_t count) {
    if (count > left_.size()) throw DataError("a value in it is longer than itself");
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  template <class Integer>
  Integer take() {
    Integer value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  template <class Value>
  void take_into(Value& list, std::uint64_t count) {
    using Number = typename Value::value_type;
    if (count > left_.size() / sizeof(Number)) take(left_.size() + 1);
    const std::string_view bytes = take(count * sizeof(Number));
    list.resize(count);
    if (count > 0) std::memcpy(list.data(), bytes.data(), bytes.size());
  }

 private:
  std::string_view left_;
};

SavedState values_in(std::string_view payload) {
  SavedState values;
  Bytes bytes(payload);
  while (!bytes.empty()) {
    const auto kind = bytes.take<char>();
    const std::string name(bytes.take(bytes.take<std::uint32_t>()));
    const auto count = bytes.take<std::uint64_t>();
    switch (kind) {
      case 'f':
        bytes.take_into(values.vectors[name], count);
        break;
      case 'u':
        bytes.take_into(values.counters[name], count);
        break;
      case 'd':
        bytes.take_into(values.numbers[name], count);
        break;
      case 't':
        bytes.take_into(values.texts[name], count);
        break;
      default:
        throw DataError(fmt::format("\"{}\" is of an unknown kind", in_one_line(name, kShown)));
    }
  }
  return values;
}

/// What is left of the file is known at every moment.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path) {
    if (const std::string why = why_unreadable(path); !why.empty()) {
      throw DataError(fmt::format("{}: {}; expected a checkpoint", path.string(), why));
    }
    std::error_code error;
    left_ = std::filesystem::file_size(path, error);
    if (error) throw DataError(path.string() + ": is no regular file; expected a checkpoint");
    file_.open(path, std::ios::binary);
  }

  Checkpoint read() {
    check_magic(take(std::min<std::uint64_t>(left_, kMagic.size())));
    Checkpoint checkpoint;
    while (true) {
      const std::string name = read_name();
      section_ = "section \"" + in_one_line(name, kShown) + "\"";
      SavedState values = read_values(name);
      if (name == kEnd) break;
      checkpoint.sections[name] = std::move(values);
      section_ = "what follows " + section_;
    }
    if (left_ > 0) throw DamagedCheckpoint(path_.string() + ": goes on after its end");
    return checkpoint;
  }

 private:
  void check_magic(const std::string& magic) const {
    if (magic == kMagic) return;
    const bool is_other = magic.size() == kMagic.size() && magic.starts_with(kKind);
    if (is_other) throw DataError(path_.string() + ": is of another version of this program");
    throw DamagedCheckpoint(path_.string() + ": is not a checkpoint of this program");
  }
  std::string read_name() {
    const auto length = take<std::uint32_t>();
    if (length > kLongestName) fail("is damaged");
    crc_ = crc32c(bytes_of(length));
    const std::string name = take(length);
    crc_ = crc32c(name, crc_);
    return name;
  }
  SavedState read_values(const std::string& name) {
    const auto length = take<std::uint64_t>();
    const std::string payload = take(length);
    const std::uint32_t crc = crc32c(payload, crc32c(bytes_of(length), crc_));
    if (take<std::uint32_t>() != crc || name.empty()) fail("is damaged (its checksum differs)");
    try {
      return values_in(payload);
    } catch (const DataError& e) {  // written so: its checksum is right
      throw DataError(told(e.what()));
    }
  }
  std::string take(std::uint64_t count) {
    if (count > left_) fail("is cut short or damaged");
    std::string bytes(count, '\0');
    file_.read(bytes.data(), std::streamsize(count));
    if (!file_) throw DataError(told("cannot be read"));
    left_ -= count;
    return bytes;
  }
  template <class Integer>
  Integer take() {
    Integer value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string told(const std::string& why) const {
    return fmt::format("{}: {} {}", path_.string(), section_, why);
  }
  [[noreturn]] void fail(const std::string& why) const { throw DamagedCheckpoint(told(why)); }

  const std::filesystem::path& path_;
  std::ifstream file_;
  std::uint64_t left_ = 0;
  std::string section_ = "its first section";
  std::uint32_t crc_ = 0;
};

}  // namespace

void write_checkpoint(std::ostream& file, const Checkpoint& checkpoint) {
  file.write(kMagic.data(), std::streamsize(kMagic.size()));
  for (const auto& [name, values] : checkpoint.sections) SectionWriter(file).write(name, values);
  SectionWriter(file).write(kEnd, {});
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  Checkpoint checkpoint = Reader(path).read();
  try {
    checkpoint.version = checkpoint.get("center").counter("version");
  } catch (const DataError& e) {
    throw DataError(path.string() + ": " + e.what());
  }
  return checkpoint;
}

}  // namespace easgd
