#include "pictures/png_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"
#include "base/one_line.h"

namespace easgd {
namespace {

/// libpng takes as much memory for a chunk before the pixels as it says it has, and not all of its
/// versions heed a limit.
/// Throws: DataError if one says that it has more than there is.
void check_chunks(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kSignature = 8, kHead = 8, kCheck = 4;
  for (std::size_t at = kSignature; at + kHead <= bytes.size();) {
    const std::uint8_t* head = bytes.data() + at;
    if (std::memcmp(head + 4, "IDAT", 4) == 0) return;  // whose parts are used that are there
    const std::size_t length = std::size_t(head[0]) << 24 | head[1] << 16 | head[2] << 8 | head[3];
    if (length > bytes.size() - at - kHead)
      throw DataError("a PNG picture that cannot be decoded: it ends too early");
    at += kHead + length + kCheck;
  }
}

}  // namespace

bool PngReader::is_one(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kName = 4;  // the rest of it shows what damaged the file: libpng says so
  return bytes.size() >= kName && png_sig_cmp(bytes.data(), 0, kName) == 0;
}

/// The only place that fail() comes back to. `call` must leave nothing to be destroyed.
template <class Call>
void PngReader::guarded(const Call& call) {
  if (setjmp(png_jmpbuf(png_)) == 0) {
    call();
    return;
  }
  close();
  if (std::strcmp(error_, "Out of memory") == 0) throw std::bad_alloc();
  throw DataError(fmt::format("a PNG picture that cannot be decoded: {}", in_one_line(error_)));
}

void PngReader::fail(png_structp png, png_const_charp why) {
  auto& self = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(self.error_, why, sizeof self.error_ - 1);
  png_longjmp(png, 1);
}

void PngReader::read(png_structp png, png_bytep to, std::size_t count) {
  auto& left = static_cast<PngReader*>(png_get_io_ptr(png))->left_;
  if (count > left.size()) png_error(png, "it ends too early");
  std::memcpy(to, left.data(), count);
  left = left.subspan(count);
}

void PngReader::close() {
  png_destroy_read_struct(&png_, &info_, nullptr);
  if (is_interlaced_) pixels_ = {};
  is_interlaced_ = false;
}

void PngReader::open(std::span<const std::uint8_t> bytes) {
  close();
  check_chunks(bytes);
  left_ = bytes;
  orientation_ = Orientation();
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail,
                                [](png_structp, png_const_charp) {});
  if (png_) info_ = png_create_info_struct(png_);
  if (!info_) throw std::bad_alloc();
  guarded([&] {
    png_set_chunk_malloc_max(png_, bytes.size());  // what is more, unpacked, is passed over
    png_set_read_fn(png_, this, read);
    png_read_info(png_, info_);
  });
  height_ = png_get_image_height(png_, info_);
  width_ = png_get_image_width(png_, info_);
  is_interlaced_ = png_get_interlace_type(png_, info_) != PNG_INTERLACE_NONE;
  const std::size_t most = is_interlaced_ ? kMostWhole : kMostPixels;
  if (std::size_t(height_) * width_ > most)
    throw DataError(fmt::format("{}x{} pixels{}: expected at most {} million", height_, width_,
                                is_interlaced_ ? ", interlaced" : "", most / 1'000'000));
  png_bytep exif = nullptr;
  std::uint32_t size = 0;
  if (png_get_eXIf_1(png_, info_, &size, &exif) == PNG_INFO_eXIf)
    orientation_ = orientation_in({exif, size});
}

void PngReader::begin(int, PictureRange lines, PictureRange columns) {
  guarded([this] {
    png_set_expand(png_);  // palettes, and few bits, to bytes
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  });
  const std::size_t line = png_get_rowbytes(png_, info_);
  pixels_.resize(line * (is_interlaced_ ? height_ : 1));
  if (is_interlaced_)
    guarded([&] {
      for (int pass = 0; pass < 7; ++pass)
        for (std::size_t y = 0; y < height_; ++y)
          png_read_row(png_, pixels_.data() + y * line, nullptr);
    });
  next_ = std::size_t(lines.begin);
  first_ = 3 * std::size_t(columns.begin);
  if (!is_interlaced_)
    guarded([&] {
      for (std::size_t y = 0; y < next_; ++y) png_read_row(png_, pixels_.data(), nullptr);
    });
}

const std::uint8_t* PngReader::line() {
  const std::size_t line = 3 * std::size_t(width_);
  if (is_interlaced_) return pixels_.data() + next_++ * line + first_;
  guarded([this] { png_read_row(png_, pixels_.data(), nullptr); });
  return pixels_.data() + first_;
}

}  // namespace easgd
