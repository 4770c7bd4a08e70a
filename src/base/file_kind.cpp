#include "base/file_kind.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace easgd {
namespace {

using std::string_view_literals::operator""sv;

struct Magic {
  std::size_t place;  ///< bytes before it
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

std::string why_unreadable(const std::filesystem::path& path) {
  const auto because = [] { return std::string("cannot be opened: ") + std::strerror(errno); };
  if (path.native().find('\0') != std::string::npos) return "cannot be opened: a NUL in its name";
  struct stat there {};
  if (stat(path.c_str(), &there) != 0) return because();
  if (S_ISDIR(there.st_mode)) return "is a folder";
  if (!S_ISREG(there.st_mode)) return access(path.c_str(), R_OK) == 0 ? "" : because();
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return because();
  close(file);
  return "";
}

std::string kind_of_file(std::string_view beginning) {
  // A length of eight bytes, and JSON behind it.
  if (beginning.size() > 9 && beginning.substr(6, 3) == "\0\0{"sv) return "a safetensors file";
  for (const auto& [place, bytes, kind] : kMagics) {
    if (beginning.size() > place && beginning.substr(place).starts_with(bytes)) return kind;
  }
  return wide_text(beginning);
}

}  // namespace easgd
