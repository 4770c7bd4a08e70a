#include "base/file_kind.h"

#include <cstddef>

namespace easgd {
namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* kind;
};

// Longer ones before those that they begin with.
constexpr Magic kMagics[] = {
    {0, "\x1f\x8b"sv, "a gzip archive"},
    {0, "PK\x03\x04"sv, "a zip archive (as torch.save and numpy.savez write)"},
    {0, "BZh"sv, "a bzip2 archive"},
    {0, "\xfd\x37zXZ\0"sv, "an xz archive"},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd archive"},
    {257, "ustar"sv, "a tar archive"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
    {0, "\x89PNG"sv, "a PNG image"},
    {0, "\xff\xd8\xff"sv, "a JPEG image"},
    {0, "GIF87a"sv, "a GIF image"},
    {0, "GIF89a"sv, "a GIF image"},
    {8, "WEBP"sv, "a WebP image"},
    {0, "II*\0"sv, "a TIFF image"},
    {0, "MM\0*"sv, "a TIFF image"},
    {0, "<!DOCTYPE"sv, "a page of HTML"},
    {0, "<!doctype"sv, "a page of HTML"},
    {0, "<html"sv, "a page of HTML"},
    {0, "<?xml"sv, "an XML file"},
    {0, "%PDF-"sv, "a PDF file"},
    {0, "\x7f\x45LF"sv, "a program (ELF)"},
    {0, "GGUF"sv, "a GGUF file"},
    {0, "\x80\x02"sv, "a Python pickle (as older torch.save writes)"},
    {0, "\x80\x03"sv, "a Python pickle"},
    {0, "\x80\x04"sv, "a Python pickle"},
    {0, "\x80\x05"sv, "a Python pickle"},
    {0, "easgd order"sv, "an order.bin of easgd"},
    {0, "\xff\xfe\0\0"sv, "UTF-32 text"},
    {0, "\0\0\xfe\xff"sv, "UTF-32 text"},
    {0, "\xff\xfe"sv, "UTF-16 text"},
    {0, "\xfe\xff"sv, "UTF-16 text"},
};

/// Of text that begins with two characters of ASCII and has no byte order mark.
const char* wide_text(std::string_view text) {
  const auto zero = [text](std::size_t i) { return i < text.size() && text[i] == '\0'; };
  if (text.size() < 4) return "";
  if (!zero(0) && zero(1) && zero(2) && zero(3)) return "UTF-32 text";
  if (zero(0) && zero(1) && zero(2) && !zero(3)) return "UTF-32 text";
  if (zero(0) != zero(1) && zero(2) == zero(0) && zero(3) == zero(1)) return "UTF-16 text";
  return "";
}

}  // namespace

std::string kind_of_file(std::string_view beginning) {
  // A length of eight bytes, and JSON behind it.
  if (beginning.size() > 9 && beginning.substr(6, 3) == "\0\0{"sv) return "a safetensors file";
  for (const auto& [offset, bytes, kind] : kMagics) {
    if (beginning.size() > offset && beginning.substr(offset).starts_with(bytes)) return kind;
  }
  return wide_text(beginning);
}

}  // namespace easgd
