#include "pictures/jpeg_writer.h"

#include <cstdio>  // jpeglib.h needs it
#include <cstdlib>
#include <memory>
#include <new>

#include <jpeglib.h>

namespace easgd {
namespace {

/// Throws through libjpeg, which has nothing to clean up: its memory is the owner's.
struct Encoder {
  Encoder() {
    info.err = jpeg_std_error(&errors);
    errors.error_exit = [](j_common_ptr) { throw std::bad_alloc(); };  // nothing else can fail
    jpeg_create_compress(&info);
  }
  Encoder(const Encoder&) = delete;
  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }

  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
};

}  // namespace

std::vector<std::uint8_t> jpeg_of(const Image& image, int quality) {
  Encoder encoder;
  jpeg_compress_struct& info = encoder.info;
  const auto height = std::size_t(image.shape.height), width = std::size_t(image.shape.width);
  jpeg_mem_dest(&info, &encoder.bytes, &encoder.size);
  info.image_height = JDIMENSION(height);
  info.image_width = JDIMENSION(width);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> line(3 * width);
  const std::size_t plane = height * width;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c) line[3 * x + c] = image.pixels[c * plane + y * width + x];
    JSAMPROW row = line.data();
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return {encoder.bytes, encoder.bytes + encoder.size};
}

}  // namespace easgd
