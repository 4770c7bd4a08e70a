#include "pictures/jpeg_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <new>
#include <utility>

#include <jpeglib.h>

#include "base/error.h"

namespace easgd {
namespace {

/// Memory that grows as it is written to: libjpeg's own is lost if it cannot grow.
class Destination : public jpeg_destination_mgr {
 public:
  Destination() : jpeg_destination_mgr{} {
    init_destination = [](j_compress_ptr info) { of(info).grow_or_fail(info); };
    empty_output_buffer = [](j_compress_ptr info) {
      of(info).grow_or_fail(info);
      return boolean{TRUE};
    };
    term_destination = [](j_compress_ptr info) {
      of(info).bytes_.resize(of(info).bytes_.size() - of(info).free_in_buffer);
    };
  }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  static Destination& of(j_compress_ptr info) { return static_cast<Destination&>(*info->dest); }

  bool grow() {
    constexpr std::size_t kLeast = 1 << 14;
    const std::size_t written = bytes_.size();
    try {
      bytes_.resize(std::max(kLeast, 2 * written));
    } catch (const std::bad_alloc&) {
      return false;
    }
    next_output_byte = bytes_.data() + written;
    free_in_buffer = bytes_.size() - written;
    return true;
  }
  void grow_or_fail(j_compress_ptr info) {
    if (!grow()) info->err->error_exit(reinterpret_cast<j_common_ptr>(info));
  }

  std::vector<std::uint8_t> bytes_;
};

class Encoder {
 public:
  Encoder() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) {
      std::longjmp(static_cast<Errors*>(info->err)->before, 1);
    };
  }
  Encoder(const Encoder&) = delete;
  ~Encoder() { jpeg_destroy_compress(&info_); }

  /// The size of an image is known to be one that libjpeg takes: only memory may be lacking.
  std::vector<std::uint8_t> write(const Image& image, int quality) {
    line_.resize(3 * std::size_t(image.shape.width));
    if (setjmp(errors_.before) != 0) throw std::bad_alloc();
    compress(image, quality);
    return destination_.take();
  }

 private:
  struct Errors : jpeg_error_mgr {
    std::jmp_buf before;
  };

  /// Leaves nothing to be destroyed when libjpeg jumps out of it.
  void compress(const Image& image, int quality) {
    const auto height = std::size_t(image.shape.height), width = std::size_t(image.shape.width);
    jpeg_create_compress(&info_);
    info_.dest = &destination_;
    info_.image_height = JDIMENSION(height);
    info_.image_width = JDIMENSION(width);
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    const std::size_t plane = height * width;
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x)
        for (std::size_t c = 0; c < 3; ++c)
          line_[3 * x + c] = image.pixels[c * plane + y * width + x];
      JSAMPROW row = line_.data();
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
  }

  jpeg_compress_struct info_{};
  Errors errors_{};
  Destination destination_;
  std::vector<std::uint8_t> line_;
};

}  // namespace

std::vector<std::uint8_t> jpeg_of(const Image& image, int quality) {
  const auto [channels, height, width] = image.shape;
  if (std::max(height, width) > kLongestJpegSide)
    throw DataError(fmt::format("{}x{} pixels: a JPEG picture has sides of at most {}", height,
                                width, kLongestJpegSide));
  return Encoder().write(image, quality);
}

}  // namespace easgd
