// Records of TensorBoard's event files:
//
//   length, 8 bytes, little end first | masked CRC of the length | payload | masked CRC of it
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace easgd {

/// CRC-32C (Castagnoli), as of iSCSI: that of "123456789" is e3069283.
/// `before`: that of the bytes in front of these.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

std::string tf_record(std::string_view payload);

}  // namespace easgd
