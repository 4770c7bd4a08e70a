#include "pictures/picture_reader.h"

#include "base/error.h"
#include "pictures/jpeg_reader.h"
#include "pictures/png_reader.h"

namespace easgd {
namespace {

bool begins_with(std::span<const std::uint8_t> bytes, std::string_view start) {
  return bytes.size() >= start.size() && std::equal(start.begin(), start.end(), bytes.begin());
}

std::string kind_of(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return "an empty file";
  if (begins_with(bytes, "GIF8")) return "a GIF picture";
  if (begins_with(bytes, "BM")) return "a BMP picture";
  if (begins_with(bytes, "RIFF")) return "a WebP picture";
  if (begins_with(bytes, "II*") || begins_with(bytes, "MM")) return "a TIFF picture";
  if (begins_with(bytes, "<")) return "a page of HTML or XML";
  return "something else";
}

}  // namespace

PictureReader& open_picture(std::span<const std::uint8_t> bytes) {
  thread_local JpegReader jpeg;
  thread_local PngReader png;
  PictureReader* reader = JpegReader::is_one(bytes)  ? static_cast<PictureReader*>(&jpeg)
                          : PngReader::is_one(bytes) ? &png
                                                     : nullptr;
  if (!reader) throw DataError("expected a JPEG or PNG picture, found " + kind_of(bytes));
  reader->open(bytes);
  return *reader;
}

}  // namespace easgd
