// PNG pictures, by libpng.
#pragma once

#include <png.h>

#include <string>
#include <vector>

#include "pictures/picture_reader.h"

namespace easgd {

/// Grey, colour and palettes of any depth; transparency is passed over. An interlaced picture is
/// decoded as a whole.
class PngReader final : public PictureReader {
 public:
  PngReader() = default;
  ~PngReader() override { close(); }
  PngReader(const PngReader&) = delete;

  static bool is_one(std::span<const std::uint8_t> bytes);

  void open(std::span<const std::uint8_t> bytes) override;
  Shape shape() const override { return {3, int(height_), int(width_)}; }
  Orientation orientation() const override { return orientation_; }
  int reduction(int) const override { return 1; }
  void begin(int reduction, PictureRange lines, PictureRange columns) override;
  const std::uint8_t* line() override;
  void close() override;

 private:
  template <class Call>
  void guarded(const Call& call);
  [[noreturn]] static void fail(png_structp png, png_const_charp why);
  static void read(png_structp png, png_bytep to, std::size_t count);

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::span<const std::uint8_t> left_;  // bytes that libpng has not taken yet
  char error_[200] = {};
  std::uint32_t height_ = 0, width_ = 0;
  bool is_interlaced_ = false;
  Orientation orientation_;
  std::vector<std::uint8_t> pixels_;  // of a line, or of all if they are interlaced
  std::size_t next_ = 0, first_ = 0;  // line, and byte in it
};

}  // namespace easgd
