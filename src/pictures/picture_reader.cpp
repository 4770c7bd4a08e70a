#include "pictures/picture_reader.h"

#include <string>

#include "base/error.h"
#include "base/file_kind.h"
#include "pictures/jpeg_reader.h"
#include "pictures/png_reader.h"

namespace easgd {
namespace {

std::string kind_of(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return "an empty file";
  const std::string kind =
      kind_of_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return kind.empty() ? "something else" : kind;
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
