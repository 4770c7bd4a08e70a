// Are pictures decoded as they are, and do broken ones cost no more than themselves?
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include <jpeglib.h>
#include <png.h>

#include "base/appended_file.h"
#include "base/error.h"
#include "base/warning.h"
#include "data/augmentation.h"
#include "data/dataset_reader.h"
#include "kernels/resample.h"
#include "pictures/decode.h"
#include "pictures/given_pictures.h"
#include "pictures/jpeg_writer.h"
#include "pictures/orientation.h"
#include "pictures/pack.h"
#include "pictures/packed_set.h"
#include "pictures/picture_folder.h"
#include "pictures/picture_reader.h"
#include "temporary_folder.h"

using namespace easgd;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Slopes, an edge and a little noise, as a photograph has them; [3][height][width].
Bytes photograph(int height, int width, unsigned seed = 1) {
  std::mt19937 random(seed);
  Bytes pixels(3 * std::size_t(height) * std::size_t(width));
  std::size_t at = 0;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const double wave = 60 * std::sin(0.05 * x + c) + 50 * std::cos(0.04 * y + 0.02 * x);
        const double edge = x + 2 * y > height + int(seed) ? 20 : -20;
        pixels[at++] = std::uint8_t(128 + wave * 0.8 + edge + double(random() % 5));
      }
  return pixels;
}

/// How libjpeg is to write a picture.
struct JpegKind {
  std::string name;
  int components = 3;
  int across = 2, down = 2;  ///< how much more often brightness is sampled than colour
  bool progressive = false;
  J_COLOR_SPACE space = JCS_YCbCr;
  int restart = 0;
};

const JpegKind kKinds[] = {
    {"4:4:4", 3, 1, 1},
    {"4:2:2", 3, 2, 1},
    {"4:2:0", 3, 2, 2},
    {"4:4:0", 3, 1, 2},
    {"4:1:1", 3, 4, 1},
    {"grey", 1, 1, 1, false, JCS_GRAYSCALE},
    {"RGB", 3, 1, 1, false, JCS_RGB},
    {"CMYK", 4, 1, 1, false, JCS_CMYK},
    {"YCCK", 4, 2, 2, false, JCS_YCCK},
    {"progressive", 3, 2, 2, true},
    {"with restarts", 3, 2, 2, false, JCS_YCbCr, 2},
};

Bytes jpeg(const JpegKind& kind, int height, int width, unsigned seed = 1) {
  const Bytes pixels = photograph(height, width, seed);
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_height = JDIMENSION(height);
  info.image_width = JDIMENSION(width);
  info.input_components = kind.components;
  info.in_color_space = kind.components == 1   ? JCS_GRAYSCALE
                        : kind.components == 4 ? JCS_CMYK
                                               : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, kind.space);
  jpeg_set_quality(&info, 90, TRUE);
  info.comp_info[0].h_samp_factor = kind.across;
  info.comp_info[0].v_samp_factor = kind.down;
  if (kind.components == 4) {
    info.comp_info[3].h_samp_factor = kind.across;
    info.comp_info[3].v_samp_factor = kind.down;
  }
  info.restart_in_rows = kind.restart;
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  Bytes line(4 * std::size_t(width));
  const std::size_t plane = std::size_t(height) * std::size_t(width);
  for (std::size_t y = 0; y < std::size_t(height); ++y) {
    for (std::size_t x = 0; x < std::size_t(width); ++x)
      for (std::size_t c = 0; c < std::size_t(kind.components); ++c)
        line[x * std::size_t(kind.components) + c] =
            c == 3 ? 220 : pixels[c * plane + y * std::size_t(width) + x];
    JSAMPROW row = line.data();
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  Bytes result(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return result;
}

/// How libpng is to write a picture.
struct PngKind {
  std::string name;
  int type = PNG_COLOR_TYPE_RGB;
  int bits = 8;
  bool interlaced = false;
};

const PngKind kPngKinds[] = {
    {"RGB"},
    {"RGB, interlaced", PNG_COLOR_TYPE_RGB, 8, true},
    {"RGB of 16 bits", PNG_COLOR_TYPE_RGB, 16},
    {"RGB with transparency", PNG_COLOR_TYPE_RGB_ALPHA},
    {"grey", PNG_COLOR_TYPE_GRAY},
    {"grey, interlaced", PNG_COLOR_TYPE_GRAY, 8, true},
};

/// Pixels as they are written; of grey the first channel. `exif`: of a block, if there is any.
Bytes png(const PngKind& kind, int height, int width, Bytes exif = {}) {
  const Bytes pixels = photograph(height, width);
  png_structp writer = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(writer);
  Bytes file;
  png_set_write_fn(
      writer, &file,
      [](png_structp png, png_bytep bytes, std::size_t count) {
        auto& to = *static_cast<Bytes*>(png_get_io_ptr(png));
        to.insert(to.end(), bytes, bytes + count);
      },
      [](png_structp) {});
  png_set_IHDR(writer, info, png_uint_32(width), png_uint_32(height), kind.bits, kind.type,
               kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
  if (!exif.empty()) png_set_eXIf_1(writer, info, png_uint_32(exif.size()), exif.data());
  png_write_info(writer, info);
  const std::size_t plane = std::size_t(height) * std::size_t(width);
  const std::size_t channels = png_get_channels(writer, info), bytes = std::size_t(kind.bits) / 8;
  const std::size_t row = std::size_t(width) * channels * bytes;
  Bytes image(row * std::size_t(height));
  for (std::size_t i = 0; i < plane; ++i)
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t b = 0; b < bytes; ++b)
        image[(i * channels + c) * bytes + b] = c == 3 ? 90 : pixels[c * plane + i];
  std::vector<png_bytep> rows;
  for (int y = 0; y < height; ++y) rows.push_back(image.data() + std::size_t(y) * row);
  png_write_image(writer, rows.data());
  png_write_end(writer, nullptr);
  png_destroy_write_struct(&writer, &info);
  return file;
}

/// EXIF's block that has nothing but an orientation.
Bytes tiff_with(int number) {
  return {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, std::uint8_t(number),
          0,   0,   0, 0,  0, 0};
}

/// With a block of EXIF's that has nothing but an orientation.
Bytes with_orientation(const Bytes& jpeg, int number, bool is_big) {
  Bytes tiff =
      is_big
          ? tiff_with(number)
          : Bytes{
                'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, std::uint8_t(number),
                0,   0,   0,  0, 0, 0, 0};
  Bytes marker{0xFF, 0xE1, 0, std::uint8_t(8 + tiff.size()), 'E', 'x', 'i', 'f', 0, 0};
  marker.insert(marker.end(), tiff.begin(), tiff.end());
  Bytes result = jpeg;
  result.insert(result.begin() + 2, marker.begin(), marker.end());
  return result;
}

struct Decoded {
  Shape shape;
  Bytes pixels;
};

Decoded decoded(const Bytes& file, const ChooseCut& choose = whole_of) {
  Scratch scratch;
  const Image image = decode(file, choose, scratch);
  return {image.shape, {image.pixels.begin(), image.pixels.end()}};
}

/// An image resized straight from the formula of kernels/resample.h.
class Resized {
 public:
  Resized(const Decoded& image, const Cut& cut)
      : image_(image),
        rows_(weights(cut.region.top, cut.region.height, cut.height)),
        columns_(weights(cut.region.left, cut.region.width, cut.width)),
        part_(cut.part) {}

  double at(int c, int y, int x) const {
    double sum = 0;
    for (const auto& [line, row] : rows_[std::size_t(y + part_.top)])
      for (const auto& [column, weight] : columns_[std::size_t(x + part_.left)])
        sum += row * weight *
               image_.pixels[std::size_t((c * image_.shape.height + line) * image_.shape.width +
                                         column)];
    return sum;
  }

 private:
  using Weights = std::vector<std::pair<int, double>>;

  static std::vector<Weights> weights(int begin, int length, int count) {
    std::vector<Weights> result(static_cast<std::size_t>(count));
    const double scale = double(length) / count, reach = std::max(1.0, scale);
    for (int i = 0; i < count; ++i) {
      const double center = begin + (i + 0.5) * scale;
      double sum = 0;
      for (int j = begin; j < begin + length; ++j) {
        const double weight = 1 - std::abs(j + 0.5 - center) / reach;
        if (weight > 0) sum += result[std::size_t(i)].emplace_back(j, weight).second;
      }
      for (auto& each : result[std::size_t(i)]) each.second /= sum;
    }
    return result;
  }

  const Decoded& image_;
  std::vector<Weights> rows_, columns_;
  Region part_;
};

struct Difference {
  double mean = 0, most = 0;
};

/// What was decoded of a cut, beside the same cut of the whole picture.
Difference difference(const Bytes& file, const Cut& cut) {
  const Decoded whole = decoded(file), found = decoded(file, [&](Shape) { return cut; });
  REQUIRE(found.shape == Shape{3, cut.part.height, cut.part.width});
  const Resized expected(whole, cut);
  Difference result;
  std::size_t at = 0;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < cut.part.height; ++y)
      for (int x = 0; x < cut.part.width; ++x) {
        const double each = std::abs(found.pixels[at++] - expected.at(c, y, x));
        result.most = std::max(result.most, each);
        result.mean += each / double(found.pixels.size());
      }
  return result;
}

std::string failure_of(const Bytes& file, const ChooseCut& choose = whole_of) {
  try {
    decoded(file, choose);
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void write(const fs::path& path, const Bytes& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

}  // namespace

TEST_CASE("resample: what the formula says, of any stretch and part") {
  const Decoded image{{1, 37, 53}, [] {
                        Bytes all = photograph(37, 53);
                        all.resize(37 * 53);
                        return all;
                      }()};
  const Cut cuts[] = {
      {{0, 0, 37, 53}, 37, 53, {0, 0, 37, 53}},   {{0, 0, 37, 53}, 12, 9, {0, 0, 12, 9}},
      {{0, 0, 37, 53}, 80, 101, {7, 20, 60, 64}}, {{5, 9, 20, 31}, 8, 8, {0, 0, 8, 8}},
      {{36, 52, 1, 1}, 4, 4, {0, 0, 4, 4}},       {{0, 3, 37, 50}, 1, 1, {0, 0, 1, 1}},
      {{11, 0, 13, 53}, 13, 20, {12, 19, 1, 1}},
  };
  for (const Cut& cut : cuts) {
    Scratch scratch;
    const CutImage found = cut_out({image.shape, image.pixels}, cut, scratch);
    const Resized expected(image, cut);
    const auto [channels, height, width] = found.image.shape;
    for (int y = 0; y < cut.part.height; ++y)
      for (int x = 0; x < cut.part.width; ++x) {
        const auto at =
            std::size_t(found.top + y) * std::size_t(width) + std::size_t(found.left + x);
        CHECK(std::abs(found.image.pixels[at] - expected.at(0, y, x)) <= 0.501);
      }
  }
}

TEST_CASE("pictures: of every kind, the colours are those that were written") {
  const Bytes written = photograph(64, 96);
  const std::size_t plane = 64 * 96;
  const auto far = [&](const Decoded& found, bool is_grey, double ink) {
    REQUIRE(found.shape == Shape{3, 64, 96});
    double sum = 0;
    for (std::size_t i = 0; i < 3 * plane; ++i)
      sum += std::abs(found.pixels[i] - ink * written[is_grey ? i % plane : i]);
    return sum / double(3 * plane);
  };
  for (const JpegKind& kind : kKinds) {
    CAPTURE(kind.name);
    // Ink covers what is below it.
    const double ink = kind.components == 4 ? 220.0 / 255 : 1;
    CHECK(far(decoded(jpeg(kind, 64, 96)), kind.components == 1, ink) < 4);
  }
  for (const PngKind& kind : kPngKinds) {
    CAPTURE(kind.name);
    CHECK(far(decoded(png(kind, 64, 96)), kind.type == PNG_COLOR_TYPE_GRAY, 1) == 0);
  }
}

TEST_CASE("pictures: of a part only what it needs is decoded, and nothing else comes of it") {
  std::vector<std::pair<std::string, Bytes>> files;
  for (const JpegKind& kind : kKinds) files.emplace_back(kind.name, jpeg(kind, 70, 93));
  for (const PngKind& kind : kPngKinds) files.emplace_back("PNG, " + kind.name, png(kind, 70, 93));
  for (const auto& [name, file] : files) {
    CAPTURE(name);
    for (const Region& region :
         {Region{0, 0, 70, 93}, Region{13, 21, 33, 29}, Region{50, 1, 20, 90},
          Region{1, 60, 40, 33}, Region{69, 92, 1, 1}}) {
      CAPTURE(region.top);
      // As it is, and enlarged: nothing is reduced.
      CHECK(difference(file,
                       {region, region.height, region.width, {0, 0, region.height, region.width}})
                .most == 0);
      CHECK(difference(file, {region, 95, 95, {3, 30, 40, 60}}).most <= 0.501);
    }
  }
}

TEST_CASE("pictures: decoded at a half, a quarter or an eighth, they are within a level") {
  for (const JpegKind& kind : kKinds) {
    CAPTURE(kind.name);
    const Bytes file = jpeg(kind, 420, 500);
    for (const int side : {200, 100, 50, 25, 12}) {
      CAPTURE(side);
      CHECK(difference(file, {{0, 0, 420, 500}, side, side, {0, 0, side, side}}).mean < 1);
      CHECK(difference(file, {{11, 17, 403, 409}, side, side, {2, 2, side - 3, side - 2}}).mean <
            1);
    }
  }
}

TEST_CASE("pictures: turned as EXIF says, whatever part is wanted") {
  const Bytes upright = jpeg(kKinds[0], 24, 40);
  const Decoded stored = decoded(upright);
  for (int number = 1; number <= 8; ++number) {
    CAPTURE(number);
    const Bytes file = with_orientation(upright, number, number % 2);
    const Decoded shown = decoded(file);
    REQUIRE(shown.shape == (number >= 5 ? Shape{3, 40, 24} : Shape{3, 24, 40}));
    // Of the definition: which of its sides the stored picture's first line and column are.
    const auto expected = [&](int c, int y, int x) {
      const int h = 23, w = 39;
      const int lines[] = {y, y, h - y, h - y, x, h - x, h - x, x};
      const int columns[] = {x, w - x, w - x, x, y, y, w - y, w - y};
      return stored.pixels[std::size_t((c * 24 + lines[number - 1]) * 40 + columns[number - 1])];
    };
    std::size_t at = 0;
    bool same = true;
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < shown.shape.height; ++y)
        for (int x = 0; x < shown.shape.width; ++x) same &= shown.pixels[at++] == expected(c, y, x);
    CHECK(same);
    CHECK(difference(file, {{3, 5, 19, 17}, 11, 13, {2, 3, 8, 9}}).most <= 1.01);
  }
  CHECK(decoded(with_orientation(upright, 9, true)).shape == stored.shape);
  const Decoded as_png = decoded(png({"RGB"}, 24, 40)),
                turned = decoded(png({"RGB"}, 24, 40, tiff_with(6)));
  REQUIRE(turned.shape == Shape{3, 40, 24});
  for (std::size_t y = 0; y < 40; ++y)
    for (std::size_t x = 0; x < 24; ++x)
      REQUIRE(turned.pixels[y * 24 + x] == as_png.pixels[(23 - x) * 40 + y]);
}

TEST_CASE("pictures: what is wrong with one is said in a line") {
  const Bytes good = jpeg(kKinds[2], 64, 64);
  const auto cut_at = [&](std::size_t bytes) {
    return Bytes(good.begin(), good.begin() + long(bytes));
  };
  CHECK(failure_of({}) == "expected a JPEG or PNG picture, found an empty file");
  CHECK(has(failure_of({'G', 'I', 'F', '8', '9', 'a'}), "found a GIF image"));
  CHECK(has(failure_of({'<', 'h', 't', 'm', 'l'}), "found a page of HTML"));
  CHECK(has(failure_of({0x89, 'P', 'N', 'G', '\n', 0x1A, '\n', 0}), "PNG"));
  CHECK(has(failure_of({0x89, 'P', 'N', 'G'}), "it ends too early"));
  CHECK(
      has(failure_of(cut_at(good.size() / 2)), "cannot be decoded: Corrupt JPEG data: premature"));
  CHECK(failure_of(cut_at(good.size() - 2)).empty());  // the end of the picture is there
  for (const JpegKind& kind : {kKinds[9], kKinds[10]}) {
    CAPTURE(kind.name);
    const Bytes other = jpeg(kind, 64, 64);
    CHECK(!failure_of({other.begin(), other.end() - 40}).empty());
  }
  // Damage in the middle: what no encoder writes. Without restarts hardly any of it can be noticed.
  int noticed = 0;
  for (std::size_t at = good.size() / 2; at < good.size() / 2 + 100; ++at) {
    Bytes damaged = jpeg(kKinds[10], 64, 64);
    for (std::size_t i = 0; i < 40; ++i) damaged[at + i] = std::uint8_t(37 * (at + i) % 255);
    noticed += !failure_of(damaged).empty();
  }
  CHECK(noticed > 50);
  Bytes bomb = good;  // 65,500 x 65,500 pixels, says its header
  const Bytes sides{0xFF, 0xC0};
  const auto frame = std::search(bomb.begin(), bomb.end(), sides.begin(), sides.end());
  for (int i = 5; i < 9; ++i) frame[i] = i % 2 ? 0xFF : 0xDC;
  CHECK(has(failure_of(bomb), "65500x65500 pixels: expected at most 100 million"));
  Bytes large = jpeg(kKinds[9], 64, 64);  // 5,000 x 5,000, progressive: too many at once
  const Bytes many{0xFF, 0xC2};
  const auto scan = std::search(large.begin(), large.end(), many.begin(), many.end());
  for (int i = 5; i < 9; ++i) scan[i] = i % 2 ? 0x13 : 0x88;
  large.resize(200'000);
  CHECK(has(failure_of(large), "5000x5000 pixels, progressive: expected at most 20 million"));
  // The next one is decoded as if nothing had been.
  CHECK(decoded(good).shape == Shape{3, 64, 64});
}

TEST_CASE("pictures: one pixel, and very wide ones") {
  CHECK(decoded(jpeg(kKinds[2], 1, 1)).shape == Shape{3, 1, 1});
  const Cut enlarged{{0, 0, 1, 1}, 32, 32, {0, 0, 32, 32}};
  CHECK(difference(jpeg(kKinds[0], 1, 1), enlarged).most <= 0.501);
  const Bytes wide = jpeg(kKinds[2], 10, 20000);
  CHECK(difference(wide, {{0, 0, 10, 20000}, 16, 32000, {0, 31900, 16, 16}}).most <= 0.501);
}

// ---- folders

namespace {

const Bytes& small_jpeg() {
  static const Bytes file = jpeg(kKinds[2], 40, 52);
  return file;
}

/// Warnings of a scope.
class Warnings {
 public:
  Warnings() : scope_([this](const std::string& line) { lines.push_back(line); }) {}
  std::vector<std::string> lines;

 private:
  WarningScope scope_;
};

DataSplit read_folder(const std::string& dir, OnBadImage on_bad = OnBadImage::skip) {
  return read_dataset("image_folder", {.dir = dir, .on_bad_image = on_bad});
}

/// train/ and val/ with `count` pictures of two classes each, all different.
void make_folder(const TemporaryFolder& folder, int count) {
  unsigned seed = 0;
  for (const char* half : {"train", "val"})
    for (const char* name : {"cats", "dogs"})
      for (int i = 0; i < count; ++i, ++seed)
        write(folder.path() / half / name / (std::to_string(i) + ".jpg"),
              jpeg(kKinds[seed % 6], 30 + int(seed % 7), 40 + int(seed % 5), seed));
}

std::string folder_failure(const std::string& dir) {
  try {
    read_folder(dir);
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

std::set<std::string> names_of(const Dataset& set) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < set.size(); ++i)
    names.insert(fs::path(set.image_name(i)).filename().string());
  return names;
}

}  // namespace

TEST_CASE("image_folder: whatever a picture and its folder are called") {
  const TemporaryFolder folder;
  const fs::path train = folder.path() / "train";
  for (const char* name :
       {"b/1.jpg", "b/2.JPEG", "b/deep/er/3.Png", "A/4.jpeg", "A/\xff\xfe.JPG", "\xe9/5.png"})
    write(train / name, small_jpeg());
  for (const char* name : {"b/.6.jpg", "b/7.txt", "8.jpg", ".c/9.jpg", "A/10"})
    write(train / name, small_jpeg());
  fs::create_directories(folder.path() / "elsewhere");
  write(folder.path() / "elsewhere" / "11.jpg", small_jpeg());
  fs::create_directory_symlink(folder.path() / "elsewhere", train / "b" / "link");
  fs::create_directory_symlink(train / "b", train / "b" / "deep" / "round");
  fs::create_symlink(folder.path() / "elsewhere" / "11.jpg", train / "A" / "12.jpg");
  fs::create_directory_symlink("train", folder.path() / "val");
  const DataSplit split = read_folder(folder.string());
  CHECK(split.class_names == std::vector<std::string>{"A", "b", "\xe9"});
  CHECK(names_of(*split.train) == std::set<std::string>{"1.jpg", "2.JPEG", "3.Png", "4.jpeg",
                                                        "\xff\xfe.JPG", "5.png", "11.jpg",
                                                        "12.jpg"});
  CHECK(split.train->size() == 8);
  CHECK(split.test->size() == 8);
  for (std::size_t i = 0; i < 8; ++i) {
    const fs::path name = fs::path(split.train->image_name(i)).lexically_relative(train);
    CHECK(split.class_names[std::size_t(split.train->label(i))] == name.begin()->string());
  }
}

TEST_CASE("image_folder: a share is held out by names alone") {
  const TemporaryFolder folder;
  constexpr int kCount = 400;
  for (int i = 0; i < kCount; ++i)
    write(folder.path() / (i % 2 ? "a" : "b") / (std::to_string(i) + ".jpg"), small_jpeg());
  const PictureFolder found = find_pictures(folder.path(), 0.25);
  const std::size_t held = found.test.names.size();
  CHECK(held > kCount / 6);
  CHECK(held < kCount / 3);
  CHECK(held + found.train.names.size() == kCount);
  std::set<std::string> before;
  for (std::size_t i = 0; i < held; ++i) before.emplace(found.test.names[i]);
  for (int i = kCount; i < 2 * kCount; ++i)
    write(folder.path() / "a" / (std::to_string(i) + ".jpg"), small_jpeg());
  const PictureFolder more = find_pictures(folder.path(), 0.25);
  std::set<std::string> after;
  for (std::size_t i = 0; i < more.test.names.size(); ++i) after.emplace(more.test.names[i]);
  CHECK(std::ranges::includes(after, before));
  CHECK(std::ranges::none_of(after, [&](const std::string& name) {
    return !before.contains(name) && std::stoi(fs::path(name).stem()) < kCount;
  }));
}

TEST_CASE("image_folder: the first n pictures are of all classes, in the same order every time") {
  const TemporaryFolder folder;
  for (int i = 0; i < 300; ++i)
    write(folder.path() / "train" / std::to_string(i % 3) / (std::to_string(i) + ".jpg"),
          small_jpeg());
  fs::create_directory_symlink("train", folder.path() / "val");
  const DataSplit split = read_folder(folder.string()), again = read_folder(folder.string());
  std::array<int, 3> counts{};
  for (std::size_t i = 0; i < 60; ++i) ++counts[std::size_t(split.train->label(i))];
  for (const int count : counts) CHECK(count > 8);
  for (std::size_t i = 0; i < 300; ++i)
    CHECK(split.train->image_name(i) == again.train->image_name(i));
}

TEST_CASE("image_folder: what cannot be trained with is said in a line") {
  const TemporaryFolder folder;
  CHECK(has(folder_failure(folder.string()), "expected train/ and val/ in it"));
  fs::create_directories(folder.path() / "train" / "cats");
  fs::create_directories(folder.path() / "val" / "cats");
  CHECK(has(folder_failure(folder.string()), "no pictures; expected CLASS/NAME.jpg"));
  write(folder.path() / "train" / "cats" / "1.jpg", small_jpeg());
  CHECK(has(folder_failure(folder.string()), "pictures of one class alone, cats"));
  write(folder.path() / "train" / "dogs" / "1.jpg", small_jpeg());
  CHECK(has(folder_failure(folder.string()), "no test pictures of the training classes"));
  write(folder.path() / "val" / "cats" / "1.jpg", small_jpeg());
  write(folder.path() / "val" / "birds" / "1.jpg", small_jpeg());
  write(folder.path() / "val" / "2.jpg", small_jpeg());
  fs::create_directories(folder.path() / "train" / "apes");
  const Warnings warnings;
  const DataSplit split = read_folder(folder.string());
  CHECK(split.class_names == std::vector<std::string>{"cats", "dogs"});
  CHECK(split.test->size() == 1);
  REQUIRE(warnings.lines.size() == 4);
  CHECK(has(warnings.lines[3], "val: a class without a test picture: dogs"));
  CHECK(has(warnings.lines[0], "val: 1 picture in no class's folder, left out"));
  CHECK(has(warnings.lines[1], "train: a class without a training picture, left out: apes"));
  CHECK(has(warnings.lines[2],
            "val: 1 picture of classes that have no training pictures, left out: birds"));
  CHECK_THROWS_WITH_AS(find_pictures(folder.path(), 0.2),
                       doctest::Contains("found train/ and val/, which are the two halves"),
                       DataError);
  fs::rename(folder.path() / "val", folder.path() / "train" / "val");
  CHECK(has(folder_failure(folder.string()), "found train/, and no val/"));
}

TEST_CASE("pictures: one that cannot be decoded is named once, and the next of its class comes") {
  const TemporaryFolder folder;
  make_folder(folder, 4);
  const fs::path bad = folder.path() / "train" / "cats" / "2.jpg";
  write(bad, {1, 2, 3});
  fs::remove(folder.path() / "val" / "dogs" / "1.jpg");
  fs::create_symlink("nowhere", folder.path() / "val" / "dogs" / "1.jpg");
  Warnings warnings;
  const DataSplit split = read_folder(folder.string());
  const Dataset& train = *split.train;
  REQUIRE(train.size() == 8);
  Scratch scratch, other;
  for (int pass = 0; pass < 2; ++pass)
    for (std::size_t i = 0; i < train.size(); ++i) {
      const Image image = train.image(i, scratch);
      if (train.image_name(i) != bad) continue;
      std::size_t next = i;
      do next = (next + 1) % train.size();
      while (train.label(next) != train.label(i));
      const Image expected = train.image(next, other);
      CHECK(std::ranges::equal(image.pixels, expected.pixels));
    }
  CHECK(train.bad_images() == 1);
  REQUIRE(warnings.lines.size() == 1);
  CHECK(warnings.lines[0] == bad.string() +
                                 ": expected a JPEG or PNG picture, found something "
                                 "else; the next picture of its class takes its place");
  for (std::size_t i = 0; i < split.test->size(); ++i) split.test->image(i, scratch);
  REQUIRE(warnings.lines.size() == 2);
  CHECK(has(warnings.lines[1], "dogs/1.jpg: cannot be read: No such file"));
  const DataSplit strict = read_folder(folder.string(), OnBadImage::stop);
  for (int pass = 0; pass < 2; ++pass) {  // whoever asks again is told again
    std::string failure;
    for (std::size_t i = 0; i < 8 && failure.empty(); ++i) try {
        strict.train->image(i, scratch);
      } catch (const DataError& error) {
        failure = error.what();
      }
    CHECK(has(failure, "cats/2.jpg: expected a JPEG or PNG picture"));
  }
  for (int i = 0; i < 4; ++i)
    write(folder.path() / "train" / "cats" / (std::to_string(i) + ".jpg"), {});
  std::size_t first = 0;
  while (train.label(first) != 0) ++first;
  // Of a class without a good one: black, while there are good ones of others.
  const Augmentation augmentation(train, {.crop = {.side = 24}});
  std::vector<float> values(3 * 24 * 24, 1);
  augmentation.apply(
      first, [&](Shape image) { return augmentation.center(image); }, scratch, values);
  CHECK(std::ranges::count(values, 0.0f) == 3 * 24 * 24);
  CHECK(has(warnings.lines.back(), "no picture of its class can be used; black ones take"));
  CHECK(train.bad_images() == 4);
  for (int i = 0; i < 4; ++i)
    write(folder.path() / "train" / "dogs" / (std::to_string(i) + ".jpg"), {});
  CHECK_THROWS_WITH_AS(train.image(first, scratch),
                       doctest::Contains("neither this picture nor any other of the set"),
                       DataError);
}

TEST_CASE(
    "pictures: links to what is not there are told of, those to a folder above not followed") {
  const TemporaryFolder folder;
  make_folder(folder, 3);
  const fs::path train = folder.path() / "train";
  fs::create_directory_symlink("..", train / "cats" / "loop");
  fs::create_directory_symlink("../../..", train / "dogs" / "loop");
  fs::create_directory_symlink("nowhere", train / "birds");
  fs::create_directory_symlink("nowhere", train / "cats" / "more");
  const Warnings warnings;
  const DataSplit split = read_folder(folder.string());
  CHECK(split.train->size() == 6);
  CHECK(split.class_names == std::vector<std::string>{"cats", "dogs"});
  REQUIRE(warnings.lines.size() == 1);
  CHECK(warnings.lines[0] ==
        train.string() + ": 2 links to what is not there, left out: birds, cats/more");
  fs::remove_all(folder.path() / "val" / "dogs");
  read_folder(folder.string());
  CHECK(has(warnings.lines.back(), "val: a class without a test picture: dogs"));
}

TEST_CASE("pictures: a JPEG file that ends within its header has no image in it") {
  const Bytes whole = jpeg(kKinds[0], 64, 96);
  for (const std::size_t size : {20u, 30u, 100u}) {
    CAPTURE(size);
    const Bytes cut(whole.begin(), whole.begin() + std::ptrdiff_t(size));
    CHECK_THROWS_WITH_AS(decoded(cut),
                         "a JPEG picture that cannot be decoded: JPEG datastream contains no image",
                         DataError);
  }
}

TEST_CASE("pictures: a file that is no picture is not read again") {
  const TemporaryFolder folder;
  make_folder(folder, 4);
  const fs::path cats = folder.path() / "train" / "cats";
  for (const char* name : {"0.jpg", "1.jpg", "2.jpg", "3.jpg"}) write(cats / name, {1, 2, 3});
  const Warnings warnings;
  const DataSplit split = read_folder(folder.string());
  std::size_t first = 0;
  while (split.train->label(first) != 0) ++first;
  const Augmentation augmentation(*split.train, {.crop = {.side = 24}});
  const auto is_black = [&] {
    Scratch scratch;
    std::vector<float> values(3 * 24 * 24, 1);
    augmentation.apply(
        first, [&](Shape image) { return augmentation.center(image); }, scratch, values);
    return std::ranges::count(values, 0.0f) == 3 * 24 * 24;
  };
  CHECK(is_black());
  write(cats / "0.jpg",
        jpeg(kKinds[0], 64, 96));  // too late: what was found holds for all of the run
  CHECK(is_black());
  CHECK(split.train->bad_images() == 4);
}

TEST_CASE("pictures: a machine that cannot read is no fault of a picture") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 3);
  const DataSplit split = read_folder(folder.string());
  const Packing packing(find_pictures(folder.path(), 0), packed.path(), {.threads = 1});
  Scratch scratch;
  split.train->image(0, scratch);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const int next = open("/dev/null", O_RDONLY);
  close(next);
  const rlimit none{rlim_t(next), limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  std::string of_set, of_pack;
  try {
    split.train->image(0, scratch);
  } catch (const DataError& error) {
    of_set = error.what();
  }
  try {
    packing.estimate();
  } catch (const DataError& error) {
    of_pack = error.what();
  }
  setrlimit(RLIMIT_NOFILE, &limit);
  for (const std::string& failure : {of_set, of_pack}) {
    CHECK(has(failure, ".jpg: cannot be read: Too many open files"));
  }
  CHECK(split.train->bad_images() == 0);
  CHECK(packing.run([](const PackProgress&) {}).bad == 0);
}

TEST_CASE("pictures: a window that could lie beside its picture is refused") {
  const TemporaryFolder folder;
  make_folder(folder, 1);
  const DataSplit split = read_folder(folder.string());
  CHECK_THROWS_WITH_AS(Augmentation(*split.train, {.crop = {.side = 24, .pad = 24}}),
                       doctest::Contains("24: windows of 24x24 could lie beside the image"),
                       KeyError);
  const Augmentation augmentation(*split.train, {.crop = {.side = 24, .pad = 23}});
  const kernels::Random random{1, kernels::Stream::augmentation};
  std::vector<float> values(3 * 24 * 24);
  Scratch scratch;
  for (std::uint32_t i = 0; i < 200; ++i)
    augmentation.apply(
        i % 2, [&](Shape image) { return augmentation.random(image, random, 0, i); }, scratch,
        values);
}

TEST_CASE("pictures: one that is smaller than the crop is one that cannot be used") {
  const TemporaryFolder folder;
  make_folder(folder, 3);
  write(folder.path() / "train" / "cats" / "1.jpg", jpeg(kKinds[0], 20, 50));
  const Warnings warnings;
  const DataSplit split = read_folder(folder.string());
  const Augmentation augmentation(*split.train, {.crop = {.side = 28}});
  const Buffer to = host_buffer(3 * 28 * 28);
  Scratch scratch;
  for (std::size_t i = 0; i < split.train->size(); ++i)
    augmentation.apply(
        i, [&](Shape image) { return augmentation.center(image); }, scratch, to);
  REQUIRE(warnings.lines.size() == 1);
  CHECK(has(warnings.lines[0], "cats/1.jpg: is 20x50, smaller than data.crop = 28"));
}

// ---- packed

namespace {

PackResult pack_all(const std::string& from, const std::string& to, const PackOptions& options) {
  return Packing(find_pictures(from, 0), to, options).run([](const PackProgress&) {});
}

std::map<std::string, std::string> contents_of(const fs::path& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    contents[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return contents;
}

/// Every training sample as it is cut at random.
std::vector<float> samples_of(const DataSplit& split, const CropOptions& crop) {
  const Augmentation augmentation(*split.train, {.crop = crop});
  const std::size_t size = augmentation.output().size();
  const Buffer to = host_buffer(split.train->size() * size);
  Scratch scratch;
  for (std::size_t i = 0; i < split.train->size(); ++i)
    augmentation.apply(
        i,
        [&](Shape image) {
          return augmentation.random(image, {7, kernels::Stream::augmentation, 0}, 3,
                                     std::uint32_t(i));
        },
        scratch, to.view().subspan(i * size, size));
  return {to.view().begin(), to.view().end()};
}

}  // namespace

TEST_CASE(
    "packed: raw records give the bytes of the folder, JPEG records too where they are copies") {
  const TemporaryFolder folder, raw, copies;
  make_folder(folder, 5);
  write(folder.path() / "train" / "cats" / "2.jpg", {1, 2, 3});
  const Warnings warnings;
  const PackResult done =
      pack_all(folder.string(), raw.string(), {.side = 0, .raw = true, .part_bytes = 10'000});
  CHECK(done.train == 9);
  CHECK(done.test == 10);
  CHECK(done.bad == 1);
  REQUIRE(warnings.lines.size() == 1);
  CHECK(has(warnings.lines[0],
            "cats/2.jpg: expected a JPEG or PNG picture, found something else; left out"));
  pack_all(folder.string(), copies.string(), {.side = 256});
  fs::remove(folder.path() / "train" / "cats" / "2.jpg");
  pack_all(folder.string(), raw / "again", {.side = 0, .raw = true, .part_bytes = 10'000});
  const DataSplit from_folder = read_folder(folder.string());
  for (const CropOptions& crop :
       {CropOptions{.side = 28, .flip = true},
        {.side = 300, .kind = CropKind::resized, .least_area = 0.1},
        {.side = 32, .resize = 40, .pad = 3},
        {.side = 26, .flip = true, .kind = CropKind::resized, .least_area = 0.6}}) {
    const auto expected = samples_of(from_folder, crop);
    CHECK(samples_of(read_dataset("packed", {.dir = raw / "again"}), crop) == expected);
  }
  CHECK(read_dataset("packed", {.dir = copies.string()}).class_names ==
        std::vector<std::string>{"cats", "dogs"});
  const auto contents = contents_of(copies.path());
  CHECK(has(contents.at("train-0000.bin"),
            contents_of(folder.path() / "train" / "dogs").at("3.jpg")));
}

TEST_CASE("packed: the same bytes however many threads there are, and however often it was ended") {
  const TemporaryFolder folder, calm, disturbed;
  make_folder(folder, 30);
  const PackOptions options{.side = 24, .threads = 1, .part_bytes = 5'000};
  pack_all(folder.string(), calm.string(), options);
  const auto expected = contents_of(calm.path());
  CHECK(expected.size() > 10);
  struct Ended {};
  int calls = 0, endings = 0;
  for (bool is_done = false; !is_done;) {
    PackOptions many = options;
    many.threads = 1 + calls % 4;
    const std::size_t most = 11;  // pictures of a call, then it is ended
    std::size_t count = 0;
    ++calls;
    try {
      Packing(find_pictures(folder.path(), 0), disturbed.path(), many)
          .run([&](const PackProgress&) {
            if (++count > most) throw Ended();
          });
      is_done = true;
    } catch (const Ended&) {
      ++endings;
    }
    REQUIRE(calls < 100);
  }
  CHECK(endings > 5);
  CHECK(contents_of(disturbed.path()) == expected);
  PackOptions other = options;
  other.side = 20;
  CHECK_THROWS_WITH_AS(pack_all(folder.string(), calm.string(), other),
                       doctest::Contains("has been packed from other pictures, or otherwise"),
                       DataError);
}

TEST_CASE("packed: what is there is counted, and what is lost of it is packed again") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 30);
  const PackOptions options{.side = 24, .part_bytes = 5'000};
  const auto estimate = [&] {
    return Packing(find_pictures(folder.path(), 0), packed / "to", options).estimate();
  };
  const PackEstimate before = estimate();
  CHECK(before.pictures == 120);
  CHECK(before.packed == 0);
  CHECK(!fs::exists(packed / "to"));
  pack_all(folder.string(), packed / "to", options);
  const auto expected = contents_of(packed / "to");
  std::size_t bytes = 0;
  for (const auto& [name, content] : expected) bytes += name.ends_with(".bin") ? content.size() : 0;
  CHECK(std::abs(double(before.bytes) / double(bytes) - 1) < 0.05);
  const PackEstimate after = estimate();
  CHECK(after.packed == 120);
  CHECK(after.bytes == 0);
  fs::remove(packed / "to/train-0001.bin");
  CHECK(estimate().packed < 120);
  pack_all(folder.string(), packed / "to", options);
  CHECK(contents_of(packed / "to") == expected);
  // Another picture of the same name.
  write(folder.path() / "train" / "cats" / "3.jpg", jpeg(kKinds[0], 90, 90));
  CHECK_THROWS_WITH_AS(pack_all(folder.string(), packed / "to", options),
                       doctest::Contains("has been packed from other pictures"), DataError);
}

TEST_CASE("packed: a picture that no JPEG file holds is left out, a half without any is refused") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 3);
  write(folder.path() / "train" / "cats" / "long.png", png({"grey"}, 65510, 2));
  const Warnings warnings;
  CHECK(pack_all(folder.string(), packed / "jpeg", {}).bad == 1);
  REQUIRE(warnings.lines.size() == 1);
  CHECK(has(warnings.lines[0],
            "long.png: 65510x2 pixels: expected sides of at most 65500; left out"));
  CHECK(pack_all(folder.string(), packed / "raw", {.raw = true}).bad == 0);
  CHECK_THROWS_AS(jpeg_of({{3, 1, 65501}, Bytes(3 * 65501)}, 90), DataError);
  for (const char* name : {"cats", "dogs"})
    for (const char* number : {"0", "1", "2"})
      write(folder.path() / "val" / name / (std::string(number) + ".jpg"), {});
  CHECK_THROWS_WITH_AS(pack_all(folder.string(), packed / "none", {}),
                       doctest::Contains("val: none of its 6 pictures could be decoded"),
                       DataError);
  CHECK(!fs::exists(packed / "none/pack.index"));
}

TEST_CASE("packed: a folder in which another pack is at work is refused") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 5);
  AppendedFile other(packed.path(), O_RDONLY | O_DIRECTORY);
  REQUIRE(other.lock());
  CHECK_THROWS_WITH_AS(pack_all(folder.string(), packed.string(), {}),
                       doctest::Contains("another pack is at work in it"), ConfigError);
  CHECK(fs::is_empty(packed.path()));
  other = AppendedFile();
  CHECK(pack_all(folder.string(), packed.string(), {}).train > 0);
}

TEST_CASE("packed: damaged records are named and passed over, damaged indexes refused") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 6);
  pack_all(folder.string(), packed.string(), {.side = 0, .raw = true});
  CHECK(check_pack(packed.path()).damaged.empty());
  const auto contents = contents_of(packed.path());
  const auto damage = [&](const std::string& name, std::size_t at) {
    std::string bytes = contents.at(name);
    bytes[at] = char(bytes[at] ^ 4);
    std::ofstream(packed / name, std::ios::binary) << bytes;
  };
  const auto restore = [&](const std::string& name) {
    std::ofstream(packed / name, std::ios::binary) << contents.at(name);
  };
  damage("train-0000.bin", 5000);
  const PackCheck found = check_pack(packed.path());
  CHECK(found.records == 24);
  REQUIRE(found.damaged.size() == 1);
  CHECK(has(found.damaged[0], "train-0000.bin: record 1 ("));
  {
    const Warnings warnings;
    const DataSplit split = read_dataset("packed", {.dir = packed.string()});
    Scratch scratch;
    for (std::size_t i = 0; i < split.train->size(); ++i) split.train->image(i, scratch);
    CHECK(split.train->bad_images() == 1);
    REQUIRE(warnings.lines.size() == 1);
    CHECK(has(warnings.lines[0], "record 1 ("));
  }
  restore("train-0000.bin");
  for (const char* name : {"pack.index", "train-0000.index", "test-0000.index"}) {
    CAPTURE(name);
    for (std::size_t at = 0; at < contents.at(name).size(); at += 1 + at / 40) {
      damage(name, at);
      CHECK_THROWS_AS(read_dataset("packed", {.dir = packed.string()}), DataError);
      std::ofstream(packed / name, std::ios::binary) << contents.at(name).substr(0, at);
      CHECK_THROWS_AS(read_dataset("packed", {.dir = packed.string()}), DataError);
    }
    restore(name);
  }
  fs::resize_file(packed / "test-0000.bin", contents.at("test-0000.bin").size() - 1);
  CHECK_THROWS_WITH_AS(
      read_dataset("packed", {.dir = packed.string(), .on_bad_image = OnBadImage::stop}),
      doctest::Contains("test-0000.bin: expected "), DataError);
  const PackCheck cut = check_pack(packed.string());
  REQUIRE(cut.damaged.size() == 1);
  CHECK(has(cut.damaged[0], "): its file ends before it"));
  const DataSplit shortened = read_dataset("packed", {.dir = packed.string()});
  Scratch scratch;
  for (std::size_t i = 0; i < shortened.test->size(); ++i) shortened.test->image(i, scratch);
  CHECK(shortened.test->bad_images() == 1);
  std::ofstream(packed / "train-0000.bin", std::ios::binary | std::ios::app) << "more";
  CHECK_THROWS_AS(read_dataset("packed", {.dir = packed.string()}), DataError);
}

TEST_CASE("packed: pictures that go while they are packed end it, and it is gone on with") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 6);
  const PackOptions options{.side = 0, .raw = true};
  {
    const Packing packing(find_pictures(folder.path(), 0), packed.path(), options);
    fs::rename(folder.path() / "train" / "cats", folder.path() / "spare");
    CHECK_THROWS_WITH_AS(packing.run([](const PackProgress&) {}),
                         doctest::Contains("the pack is not finished: pack again when it is there"),
                         DataError);
  }
  CHECK_THROWS_WITH_AS(check_pack(packed.path()),
                       doctest::Contains("it is no pack, or one that is not finished"), DataError);
  fs::rename(folder.path() / "spare", folder.path() / "train" / "cats");
  // A link that never led anywhere is a bad picture.
  fs::create_symlink("nowhere.jpg", folder.path() / "train" / "cats" / "link.jpg");
  const TemporaryFolder other;
  const Warnings warnings;
  const Packing packing(find_pictures(folder.path(), 0), other.path(), options);
  const PackResult result = packing.run([](const PackProgress&) {});
  CHECK(result.train == 12);
  CHECK(result.bad == 1);
  CHECK(has(warnings.lines.at(0), "cats/link.jpg: cannot be read: No such file"));
}

TEST_CASE(
    "packed: a class that has no good picture is told of, and an index that is damaged is made "
    "again") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 3);
  for (const auto& file : fs::directory_iterator(folder.path() / "val" / "dogs"))
    write(file.path(), {1, 2, 3});
  const auto told = [](const Warnings& warnings) {
    return std::ranges::any_of(warnings.lines, [](const std::string& line) {
      return has(line, "a class without a test picture: dogs");
    });
  };
  const auto pack = [&] {
    const Packing packing(find_pictures(folder.path(), 0), packed.path(), {.side = 0, .raw = true});
    packing.estimate();
    packing.run([](const PackProgress&) {});
    return contents_of(packed.path());
  };
  const Warnings first;
  const auto before = pack();
  CHECK(told(first));
  {
    const Warnings again;
    read_dataset("packed", {.dir = packed.string()});
    CHECK(told(again));
  }
  fs::resize_file(packed / "train-0000.index", 40);
  const Warnings mended;
  CHECK(pack() == before);
  REQUIRE(mended.lines.size() >= 1);
  CHECK(std::ranges::count_if(mended.lines, [](const std::string& line) {
          return has(line, "; its pictures are packed again");
        }) == 1);
  CHECK(has(mended.lines.at(0), "train-0000.index: "));
  CHECK(has(mended.lines.at(0), "; its pictures are packed again"));
}

TEST_CASE("packed: what a pack has is known by both halves, in their order") {
  const TemporaryFolder folder, packed, turned;
  make_folder(folder, 2);
  fs::remove_all(folder.path() / "val");
  fs::create_symlink("train", folder.path() / "val");
  pack_all(folder.string(), packed.string(), {.side = 0, .raw = true});
  const std::uint64_t before = read_facts(packed.path()).content;
  fs::rename(folder.path() / "train" / "cats" / "0.jpg", folder.path() / "spare");
  fs::copy_file(folder.path() / "train" / "dogs" / "0.jpg",
                folder.path() / "train" / "cats" / "0.jpg");
  pack_all(folder.string(), turned.string(), {.side = 0, .raw = true});
  CHECK(read_facts(turned.path()).content != before);
}

namespace {

/// What the images of a label say that fail.
std::vector<std::string> failures_of(const Dataset& set, int label) {
  std::vector<std::string> failures;
  Scratch scratch;
  for (std::size_t i = 0; i < set.size(); ++i) try {
      if (set.label(i) == label) set.image(i, scratch);
    } catch (const DataError& error) {
      failures.push_back(error.what());
    }
  return failures;
}

void check_has_vanished(const Dataset& set, int label, std::size_t count) {
  const std::vector<std::string> failures = failures_of(set, label);
  CHECK(failures.size() == count);
  for (const std::string& failure : failures) {
    CHECK(has(failure, ": it cannot be read any more, nor can any other of its class"));
  }
}

}  // namespace

TEST_CASE("pictures: a class that vanishes after a set was opened is not taken for black") {
  const TemporaryFolder folder;
  make_folder(folder, 20);
  const DataSplit split = read_folder(folder.string());
  const Dataset& set = *split.train;
  const fs::path cats = folder.path() / "train" / "cats";
  const Warnings warnings;
  fs::remove(cats / "3.jpg");
  CHECK(failures_of(set, 0).empty());
  CHECK(set.bad_images() == 1);
  REQUIRE(warnings.lines.size() == 1);
  CHECK(has(warnings.lines[0], "cats/3.jpg: cannot be read: No such file or directory; the next"));
  fs::remove_all(cats);
  check_has_vanished(set, 0, 20);
  CHECK(set.bad_images() == 20);
  CHECK(warnings.lines.size() == 5);  // of 1, 2, 4, 8 and 16
  CHECK(has(warnings.lines.back(), "; 16 pictures are so by now"));
  CHECK(failures_of(set, 1).empty());
}

TEST_CASE("packed: raw pictures lie where they were asked for, not where the next one does") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 2);
  pack_all(folder.string(), packed.string(), {.side = 0, .raw = true});
  const DataSplit split = read_dataset("packed", {.dir = packed.string()});
  Scratch first, second;
  const Image image = split.train->image(0, first);
  const std::vector<std::uint8_t> before(image.pixels.begin(), image.pixels.end());
  split.train->image(1, second);
  CHECK(std::ranges::equal(image.pixels, before));
}

TEST_CASE("packed: a file that vanishes is still there, one that becomes shorter ends no program") {
  const TemporaryFolder folder, packed;
  make_folder(folder, 6);
  pack_all(folder.string(), packed.string(), {.side = 0, .raw = true});
  const DataSplit split = read_dataset("packed", {.dir = packed.string()});
  const Dataset &train = *split.train, &test = *split.test;
  const fs::path file = packed / "train-0000.bin";
  const Warnings warnings;
  fs::remove(packed / "test-0000.bin");
  fs::resize_file(file, fs::file_size(file) - 1);
  for (const int label : {0, 1}) {
    CHECK(failures_of(test, label).empty());
    CHECK(failures_of(train, label).empty());
  }
  CHECK(test.bad_images() == 0);
  CHECK(train.bad_images() == 1);
  CHECK(has(warnings.lines.at(0), "): its file has become shorter; the next picture of its class"));
  fs::resize_file(file, 0);
  for (const int label : {0, 1}) check_has_vanished(train, label, 6);
}

// ---- how they are laid out

TEST_CASE("augmentation: resized parts have any area from the least, and forms of 3:4 to 4:3") {
  const TemporaryFolder folder;
  make_folder(folder, 1);
  const DataSplit split = read_folder(folder.string());
  const Augmentation augmentation(
      *split.train,
      {.crop = {.side = 8, .flip = true, .kind = CropKind::resized, .least_area = 0.2}});
  const Shape image{3, 500, 400};
  double least = 1, most = 0, narrowest = 9, widest = 0, tops = 0;
  int mirrored = 0;
  constexpr int kCount = 4000;
  for (int i = 0; i < kCount; ++i) {
    const Framing framing =
        augmentation.random(image, {1, kernels::Stream::augmentation, 2}, 5, std::uint32_t(i));
    const auto [top, left, height, width] = framing.region;
    REQUIRE((top >= 0 && left >= 0 && top + height <= 500 && left + width <= 400));
    CHECK((framing.height == 8 && framing.width == 8));
    const double area = double(height) * width / (500 * 400), form = double(width) / height;
    least = std::min(least, area), most = std::max(most, area);
    narrowest = std::min(narrowest, form), widest = std::max(widest, form);
    tops += double(top) / std::max(1, 500 - height) / kCount;
    mirrored += framing.window.mirrored;
  }
  CHECK(least == doctest::Approx(0.2).epsilon(0.02));
  CHECK(most > 0.9);
  CHECK(narrowest == doctest::Approx(0.75).epsilon(0.02));
  CHECK(widest == doctest::Approx(4.0 / 3).epsilon(0.02));
  CHECK(tops == doctest::Approx(0.5).epsilon(0.05));
  CHECK(mirrored == doctest::Approx(kCount / 2).epsilon(0.06));
  // What no part of these forms fits into: the middle.
  const Framing strip =
      augmentation.random({3, 10, 2000}, {1, kernels::Stream::augmentation, 2}, 5, 0);
  CHECK(strip.region == Region{0, 993, 10, 13});
}

TEST_CASE("augmentation: a test takes the middle of what is resized") {
  const TemporaryFolder folder;
  make_folder(folder, 1);
  const DataSplit split = read_folder(folder.string());
  const auto center = [&](const CropOptions& crop, Shape image) {
    const Framing f = Augmentation(*split.test, {.crop = crop}).center(image);
    return std::array{f.height, f.width, f.window.top, f.window.left};
  };
  CHECK(center({.side = 221, .resize = 256}, {3, 500, 375}) == std::array{341, 256, 60, 17});
  CHECK(center({.side = 224, .kind = CropKind::resized}, {3, 375, 500}) ==
        std::array{256, 341, 16, 58});
  CHECK(center({.side = 224, .resize = 232, .kind = CropKind::resized}, {3, 232, 232}) ==
        std::array{232, 232, 4, 4});
  CHECK(center({.side = 20}, {3, 30, 41}) == std::array{30, 41, 5, 10});
}

TEST_CASE("pictures that are given become what a network knows: its size, its channels") {
  const TemporaryFolder folder;
  const fs::path path = folder / "wide.jpg";
  const Bytes file = jpeg({"4:4:4", 3, 1, 1}, 40, 100);
  write(path, file);
  Scratch scratch, other;
  const Image all = decode(file, whole_of, other);
  {
    INFO("of the same height: the middle, pixel for pixel");
    const GivenPictures pictures({path}, {3, 40, 40});
    const CutImage cut = pictures.cut(0, whole_of, scratch);
    REQUIRE(cut.image.shape == Shape{3, 40, 40});
    for (std::size_t i = 0; i < cut.image.pixels.size(); ++i)
      REQUIRE(cut.image.pixels[i] == all.pixels[i / 40 * 100 + 30 + i % 40]);
  }
  {
    INFO("resized until it covers: 40 to 20, 100 to 50");
    const GivenPictures pictures({path}, {3, 20, 10});
    const CutImage cut = pictures.cut(0, whole_of, scratch);
    REQUIRE(cut.image.shape == Shape{3, 20, 10});
    Scratch wanted;
    const Image resized = decode(
        file,
        [](Shape) {
          return Cut{{0, 0, 40, 100}, 20, 50, {0, 20, 20, 10}};
        },
        wanted);
    CHECK(std::ranges::equal(cut.image.pixels, resized.pixels));
  }
  {
    INFO("one channel: brightness");
    const GivenPictures pictures({path}, {1, 40, 100});
    const Image grey = pictures.image(0, scratch);
    REQUIRE(grey.shape == Shape{1, 40, 100});
    for (std::size_t i = 0; i < 4000; ++i)
      REQUIRE(std::abs(0.299 * all.pixels[i] + 0.587 * all.pixels[4000 + i] +
                       0.114 * all.pixels[8000 + i] - grey.pixels[i]) < 0.51);
  }
  CHECK_THROWS_WITH_AS(
      GivenPictures({path}, {4, 8, 8}),
      "the network takes images of 4 channels; expected 1 or 3, which pictures have", DataError);
}

TEST_CASE("a given picture that cannot be used is black, and why is said, while others are there") {
  const TemporaryFolder folder;
  const fs::path good = folder / "good.jpg", bad = folder / "bad.jpg", small = folder / "small.jpg";
  write(good, jpeg({"4:2:0"}, 60, 60));
  write(bad, {'G', 'I', 'F', '8'});
  write(small, jpeg({"4:2:0"}, 10, 60));
  const GivenPictures pictures({bad, good, small, folder / "none.png"}, {3, 0, 0});
  const Augmentation augmentation(pictures, {.crop = {.side = 24}});
  Scratch scratch;
  std::vector<float> values(3 * 24 * 24);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    augmentation.apply(
        i, [&](Shape image) { return augmentation.center(image); }, scratch, values);
    CHECK((std::ranges::max(values) == 0) == (i != 1));
    CHECK(pictures.why(i).empty() == (i == 1));
  }
  CHECK(pictures.why(0).find("expected a JPEG or PNG picture") != std::string::npos);
  CHECK(pictures.why(2).find("10x60, smaller than data.crop = 24") != std::string::npos);
  CHECK(pictures.why(3).find("cannot be read") != std::string::npos);
}
