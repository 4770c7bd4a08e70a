#include "pictures/jpeg_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <new>

#include <jpeglib.h>

#include "base/error.h"

namespace easgd {
namespace {

class Encoder {
 public:
  Encoder() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) {
      std::longjmp(static_cast<Errors*>(info->err)->before, 1);
    };
  }
  Encoder(const Encoder&) = delete;
  ~Encoder() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }

  /// The size of an image is known to be one that libjpeg takes: only memory may be lacking.
  std::vector<std::uint8_t> write(const Image& image, int quality) {
    line_.resize(3 * std::size_t(image.shape.width));
    if (setjmp(errors_.before) != 0) throw std::bad_alloc();
    compress(image, quality);
    return {bytes_, bytes_ + size_};
  }

 private:
  struct Errors : jpeg_error_mgr {
    std::jmp_buf before;
  };

  /// Leaves nothing to be destroyed when libjpeg jumps out of it.
  void compress(const Image& image, int quality) {
    const auto height = std::size_t(image.shape.height), width = std::size_t(image.shape.width);
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &bytes_, &size_);
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
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
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
