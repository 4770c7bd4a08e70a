// Messages of Protocol Buffers, as far as TensorBoard's event files need them: a message is a text
// to which fields are added by their number.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace easgd::protobuf {

/// How a value is stored.
enum class Wire : std::uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// Seven bits a byte, the lowest first; the highest bit says that another byte follows.
inline void put_varint(std::string& message, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) message += char(value | 0x80);
  message += char(value);
}

inline void put_key(std::string& message, int field, Wire wire) {
  put_varint(message, std::uint64_t(field) << 3 | std::uint64_t(wire));
}

/// Integers, enums and flags.
inline void put_integer(std::string& message, int field, std::uint64_t value) {
  put_key(message, field, Wire::varint);
  put_varint(message, value);
}

inline void put_double(std::string& message, int field, double value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  put_key(message, field, Wire::fixed64);
  message.append(bytes, sizeof value);
}

inline void put_float(std::string& message, int field, float value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  put_key(message, field, Wire::fixed32);
  message.append(bytes, sizeof value);
}

/// Texts and messages.
inline void put_bytes(std::string& message, int field, std::string_view value) {
  put_key(message, field, Wire::bytes);
  put_varint(message, value.size());
  message += value;
}

}  // namespace easgd::protobuf
