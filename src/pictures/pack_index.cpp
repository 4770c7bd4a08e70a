#include "pictures/pack_index.h"

#include <fmt/format.h>

#include <cstring>
#include <string_view>
#include <type_traits>

#include "base/checksum.h"
#include "base/error.h"
#include "base/open_file.h"
#include "base/reason.h"
#include "base/unreadable.h"
#include "base/write_file.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFactsMagic = "easgd pack 1\n", kPartMagic = "easgd pack part 1\n";

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class Writer {
 public:
  explicit Writer(std::string_view magic) : text_(magic) {}

  template <class Number>
  void put(Number value) {
    static_assert(std::is_arithmetic_v<Number>);
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text) {
    put(std::uint64_t(text.size()));
    text_ += text;
  }
  void write(const fs::path& path) {
    put(checksum(bytes_of(text_)));
    write_file(path, [this](std::ostream& file) {
      file.write(text_.data(), std::streamsize(text_.size()));
    });
  }

 private:
  std::string text_;
};

class Reader {
 public:
  Reader(const fs::path& path, std::string_view magic) : path_(path), text_(read()), left_(text_) {
    const std::size_t version = magic.rfind(' ') + 1;
    if (!left_.starts_with(magic.substr(0, version))) fail("expected an index of packed pictures");
    if (!left_.starts_with(magic)) fail("an index of another version of this program");
    std::uint64_t expected = 0;
    if (left_.size() < magic.size() + sizeof expected) fail("it is cut short");
    std::memcpy(&expected, left_.data() + left_.size() - sizeof expected, sizeof expected);
    left_.remove_suffix(sizeof expected);
    if (checksum(bytes_of(left_)) != expected) fail("it is damaged: its checksum is another one");
    left_.remove_prefix(magic.size());
  }

  template <class Number>
  Number take() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view take_text() { return take(take<std::uint64_t>()); }
  /// How many there are of something that takes at least so many bytes.
  std::uint64_t take_count(std::size_t least) {
    const auto count = take<std::uint64_t>();
    if (count > left_.size() / least) fail("it is damaged: a list in it is longer than itself");
    return count;
  }
  void end() const {
    if (!left_.empty()) fail("it is damaged: something follows its end");
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > left_.size()) fail("it is damaged: a value in it is longer than itself");
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  [[noreturn]] void fail(const char* why) const { throw DataError(path_.string() + ": " + why); }

  std::string read() const try {
    const OpenFile file(path_);
    if (!file.is_regular() || file.size() > kLongestLog)
      fail("expected an index of packed pictures");
    std::string text(file.size(), '\0');
    text.resize(file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}).size());
    return text;
  } catch (const std::system_error& error) {
    throw DataError(path_.string() + ": cannot be read: " + reason(error.code().value()));
  }

  fs::path path_;
  std::string text_;
  std::string_view left_;
};

/// `io` puts or takes: the fields stand once for both.
template <class Facts, class Io>
void numbers_of(Facts& facts, const Io& io) {
  io(facts.plan);
  io(facts.is_raw);
  io(facts.side);
  io(facts.quality);
  io(facts.train_parts);
  io(facts.test_parts);
  io(facts.train_records);
  io(facts.test_records);
  io(facts.content);
}

template <class Record, class Io>
void numbers_of_record(Record& record, const Io& io) {
  io(record.offset);
  io(record.bytes);
  io(record.checksum);
  io(record.label);
  io(record.height);
  io(record.width);
}

}  // namespace

std::string part_name(const char* half, std::size_t number) {
  return fmt::format("{}-{:04}", half, number);
}

void write_facts(const fs::path& folder, const PackFacts& facts) {
  Writer to(kFactsMagic);
  numbers_of(facts, [&to](auto value) { to.put(value); });
  to.put(std::uint64_t(facts.classes.size()));
  for (const std::string& name : facts.classes) to.put_text(name);
  to.write(folder / kPackIndex);
}

PackFacts read_facts(const fs::path& folder) {
  Reader from(folder / kPackIndex, kFactsMagic);
  PackFacts facts;
  numbers_of(facts, [&from](auto& value) {
    if constexpr (std::is_same_v<decltype(value), bool&>) {
      value = from.take<std::uint8_t>() != 0;
    } else {
      value = from.take<std::remove_reference_t<decltype(value)>>();
    }
  });
  const std::uint64_t classes = from.take_count(sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i < classes; ++i) facts.classes.emplace_back(from.take_text());
  from.end();
  return facts;
}

void write_part(const fs::path& path, const PackPart& part) {
  Writer to(kPartMagic);
  to.put(part.plan);
  to.put(part.first);
  to.put(part.end);
  to.put(std::uint64_t(part.records.size()));
  for (std::size_t i = 0; i < part.records.size(); ++i) {
    numbers_of_record(part.records[i], [&to](auto value) { to.put(value); });
    to.put_text(part.names[i]);
  }
  to.write(path);
}

PackPart read_part(const fs::path& path) {
  constexpr std::size_t kLeast = 4 * sizeof(std::uint64_t) + sizeof(std::int32_t) + 4;
  Reader from(path, kPartMagic);
  PackPart part;
  part.plan = from.take<std::uint64_t>();
  part.first = from.take<std::uint64_t>();
  part.end = from.take<std::uint64_t>();
  part.records.resize(from.take_count(kLeast));
  for (PackRecord& record : part.records) {
    numbers_of_record(record, [&from](auto& value) {
      value = from.take<std::remove_reference_t<decltype(value)>>();
    });
    part.names.add(from.take_text());
  }
  from.end();
  return part;
}

}  // namespace easgd
