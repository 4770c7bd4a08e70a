#include "pictures/jpeg_reader.h"

#include <jerror.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"

namespace easgd {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
/// Where a line begins in its memory: to addresses that are multiples of 32 libjpeg-turbo writes
/// past the caches, and who reads them next waits for the memory.
constexpr std::size_t kOdd = 1;
constexpr char kExif[] = "Exif\0";  // and the zero that ends it

bool is_for_print(const jpeg_decompress_struct& info) {
  return info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
}

/// Printing colours as Adobe's programs, and all that write such files, store them: 255 is no ink.
void mix_inks(const std::uint8_t* inks, std::size_t pixels, std::uint8_t* to) {
  for (std::size_t i = 0; i < pixels; ++i, inks += 4)
    for (int c = 0; c < 3; ++c) *to++ = std::uint8_t((inks[c] * inks[3] + 127) / 255);
}

}  // namespace

JpegReader::JpegReader() {
  info_.err = jpeg_std_error(&errors_);
  errors_.error_exit = fail;
  errors_.emit_message = warn;
  guarded([this] {
    jpeg_create_decompress(&info_);
    jpeg_save_markers(&info_, kExifMarker, 0xFFFF);
  });
  progress_.progress_monitor = check_scans;
  info_.progress = &progress_;
}

JpegReader::~JpegReader() {
  jpeg_destroy_decompress(&info_);
}

/// The only place that fail() comes back to. `call` must leave nothing to be destroyed.
template <class Call>
void JpegReader::guarded(const Call& call) {
  if (setjmp(errors_.before) == 0) {
    call();
    return;
  }
  jpeg_abort_decompress(&info_);
  if (errors_.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
  throw DataError(fmt::format("a JPEG picture that cannot be decoded: {}", errors_.text));
}

void JpegReader::fail(j_common_ptr info) {
  auto& errors = *static_cast<Errors*>(info->err);
  errors.format_message(info, errors.text);
  std::longjmp(errors.before, 1);
}

/// Values that are made up are a failure, and so are bytes that are left over between two lines;
/// bytes between other segments, which some cameras leave, are not. Nor is an end that is missed
/// and nothing else, as far as one can tell: of several scans the last may have been lost with it.
void JpegReader::warn(j_common_ptr info, int level) {
  if (level >= 0) return;
  const auto& errors = *static_cast<Errors*>(info->err);
  const int code = errors.msg_code;
  // Within a header that is not known yet, and must not be asked for.
  const bool has_scans = !errors.is_in_header && info->is_decompressor &&
                         jpeg_has_multiple_scans(reinterpret_cast<j_decompress_ptr>(info));
  if (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE ||
      code == JWRN_BOGUS_PROGRESSION || code == JWRN_MUST_RESYNC ||
      (code == JWRN_EXTRANEOUS_DATA && errors.is_at_lines) ||
      (code == JWRN_JPEG_EOF && has_scans)) {
    fail(info);
  }
}

/// Thousands of scans of a small file would take hours.
void JpegReader::check_scans(j_common_ptr info) {
  constexpr int kMostScans = 500;
  if (!info->is_decompressor) return;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  auto& errors = *static_cast<Errors*>(info->err);
  std::strcpy(errors.text, "more than 500 scans");
  errors.msg_code = 0;
  std::longjmp(errors.before, 1);
}

bool JpegReader::is_one(std::span<const std::uint8_t> bytes) {
  return bytes.size() > 2 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

void JpegReader::open(std::span<const std::uint8_t> bytes) {
  guarded([&] {
    jpeg_abort_decompress(&info_);
    errors_.is_at_lines = false;
    errors_.is_in_header = true;
    jpeg_mem_src(&info_, bytes.data(), bytes.size());
    jpeg_read_header(&info_, TRUE);
    errors_.is_in_header = false;
  });
  const auto pixels = std::size_t(info_.image_width) * info_.image_height;
  const bool is_progressive = jpeg_has_multiple_scans(&info_);
  const std::size_t most = is_progressive ? kMostWhole : kMostPixels;
  if (pixels > most)
    throw DataError(fmt::format("{}x{} pixels{}: expected at most {} million", info_.image_height,
                                info_.image_width, is_progressive ? ", progressive" : "",
                                most / 1'000'000));
  constexpr std::size_t kMostInByte = 8 * 64;  // a block of 64 pixels takes a bit at least
  if (pixels / kMostInByte > bytes.size())
    throw DataError(fmt::format("{}x{} pixels in {} bytes: it has been cut short",
                                info_.image_height, info_.image_width, bytes.size()));
  if (info_.jpeg_color_space == JCS_UNKNOWN)
    throw DataError(
        fmt::format("a JPEG picture of {} components: expected grey, colour, or the "
                    "four of print",
                    info_.num_components));
  find_orientation();
}

void JpegReader::find_orientation() {
  orientation_ = Orientation();
  for (const jpeg_marker_struct* marker = info_.marker_list; marker; marker = marker->next) {
    const std::span<const std::uint8_t> bytes(marker->data, marker->data_length);
    if (bytes.size() < sizeof kExif || std::memcmp(bytes.data(), kExif, sizeof kExif) != 0)
      continue;
    orientation_ = orientation_in(bytes.subspan(sizeof kExif));
    return;
  }
}

void JpegReader::close() {
  jpeg_abort_decompress(&info_);
}

Shape JpegReader::shape() const {
  return {3, int(info_.image_height), int(info_.image_width)};
}

int JpegReader::reduction(int most) const {
  // Colours that are coarser one way than the other stay so, and would be coarser than is wanted.
  const int across = info_.max_h_samp_factor, down = info_.max_v_samp_factor;
  most /= std::max(across / down, down / across);
  int result = 8;
  while (result > std::max(most, 1)) result /= 2;
  return result;
}

void JpegReader::begin(int reduction, PictureRange lines, PictureRange columns) {
  constexpr int kMargin = 4;  // columns at whose edge colours would be interpolated otherwise
  info_.scale_num = 1;
  info_.scale_denom = unsigned(reduction);
  info_.out_color_space = is_for_print(info_) ? JCS_CMYK : JCS_RGB;
  first_ = 0;
  wanted_ = columns.end - columns.begin;
  guarded([&] {
    jpeg_start_decompress(&info_);
    const int width = int(info_.output_width);
    auto left = JDIMENSION(std::max(columns.begin - kMargin, 0));
    auto part = JDIMENSION(std::min(columns.end + kMargin, width)) - left;
    if (int(part) < width) jpeg_crop_scanline(&info_, &left, &part);
    first_ = columns.begin - (int(part) < width ? int(left) : 0);
    errors_.is_at_lines = true;
    if (lines.begin > 0) jpeg_skip_scanlines(&info_, JDIMENSION(lines.begin));
  });
  decoded_.resize(std::size_t(info_.output_width) * std::size_t(info_.output_components) + kOdd);
  pixels_.resize(is_for_print(info_) ? 3 * std::size_t(wanted_) : 0);
}

const std::uint8_t* JpegReader::line() {
  std::uint8_t* const pixels = decoded_.data() + kOdd;
  guarded([&] {
    JSAMPROW row = pixels;
    jpeg_read_scanlines(&info_, &row, 1);
  });
  const std::uint8_t* wanted = pixels + std::size_t(first_) * std::size_t(info_.output_components);
  if (!is_for_print(info_)) return wanted;
  mix_inks(wanted, std::size_t(wanted_), pixels_.data());
  return pixels_.data();
}

}  // namespace easgd
