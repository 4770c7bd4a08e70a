#include "runs/tf_record.h"

#include <array>
#include <bit>
#include <cstring>

namespace easgd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<std::uint32_t, 256> remainders() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // lowest bit first
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? kPolynomial : 0);
    table[byte] = rest;
  }
  return table;
}

template <class Integer>
void put(std::string& text, Integer value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  text.append(bytes, sizeof value);
}

/// So that the CRC of bytes which hold their CRC is no constant.
std::uint32_t masked(std::uint32_t crc) {
  return std::rotr(crc, 15) + 0xa282ead8u;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
  static constexpr auto kTable = remainders();
  std::uint32_t rest = ~before;
  for (const char c : bytes) {
    rest = rest >> 8 ^ kTable[(rest ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return ~rest;
}

std::string tf_record(std::string_view payload) {
  std::string record;
  record.reserve(payload.size() + 16);
  put(record, std::uint64_t(payload.size()));
  put(record, masked(crc32c(record)));
  record += payload;
  put(record, masked(crc32c(payload)));
  return record;
}

}  // namespace easgd
