// picture_stages STAGE SET DIR SIDE THREADS SECONDS: training pictures of a set that one stage takes
// a second, printed as a number. For tools/bench/pictures, which builds it.
//
//   entropy   a JPEG file's coefficients                            (image_folder)
//   bare      all its pixels, by libjpeg-turbo alone                (image_folder)
//   cut       a random part, decoded as far as it needs, resized
//   sample    the same, mirrored and normalised
//   loader    batches of these, files read, by a worker's thread and THREADS - 1 of TBB's
#include <fmt/format.h>
#include <tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <jpeglib.h>

#include "data/augmentation.h"
#include "data/dataset_reader.h"
#include "data/loader.h"
#include "pictures/folder_set.h"

namespace {

using namespace easgd;
using Clock = std::chrono::steady_clock;
using File = std::vector<std::uint8_t>;

struct Arguments {
  std::string stage, set, dir;
  int side, threads;
  double seconds;
};

/// Calls of `one`, by all threads together, a second; its argument counts them.
double rate(const Arguments& a, const std::function<void(std::uint64_t)>& one) {
  std::atomic<std::uint64_t> done{0};
  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < a.threads; ++i)
      threads.emplace_back([&] {
        while (seconds() < a.seconds) one(done++);
      });
  }
  return double(done) / seconds();
}

std::vector<File> files_of(const Dataset& set) {
  std::vector<File> files(set.size());
  std::vector<std::uint8_t> memory;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto bytes = read_picture(set.image_name(i), memory);
    files[i].assign(bytes.begin(), bytes.end());
  }
  return files;
}

/// As a program does it that knows nothing else. The pictures have to be good.
void decode_bare(const File& file, bool only_entropy) {
  thread_local std::vector<std::uint8_t> pixels;
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), file.size());
  jpeg_read_header(&info, TRUE);
  if (only_entropy) {
    jpeg_read_coefficients(&info);
  } else {
    info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info);
    const std::size_t line = 3 * std::size_t(info.output_width);
    pixels.resize(std::max(pixels.size(), line * info.output_height));
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels.data() + info.output_scanline * line;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
  }
  jpeg_destroy_decompress(&info);
}

double rate_of_loader(const Arguments& a, const Dataset& set, const CropOptions& crop) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  std::size_t(a.threads));
  constexpr std::size_t kBatch = 64;
  Loader loader(set, {.batch = kBatch,
                      .crop = crop,
                      .normalisation = set.normalisation().value(),
                      .spawn = spawn_on_arena(std::max(a.threads - 1, 1))});
  std::uint64_t step = 0;
  for (; step < 4; ++step) loader.next(step);  // so many may be ready before the clock runs
  const auto begin = Clock::now();
  const std::uint64_t first = step;
  double seconds = 0;
  while (seconds < a.seconds) {
    loader.next(step++);
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return double((step - first) * kBatch) / seconds;
}

double measure(const Arguments& a) {
  const DataSplit split = read_dataset(a.set, {.dir = a.dir});
  const Dataset& set = *split.train;
  const CropOptions crop{.side = a.side, .flip = true, .kind = CropKind::resized};
  if (a.stage == "loader") return rate_of_loader(a, set, crop);
  if (a.stage == "bare" || a.stage == "entropy") {
    const std::vector<File> files = files_of(set);
    return rate(
        a, [&](std::uint64_t i) { decode_bare(files[i % files.size()], a.stage == "entropy"); });
  }
  const Augmentation augmentation(set, {.crop = crop, .normalisation = *set.normalisation()});
  const kernels::Random random{1, kernels::Stream::augmentation, 0};
  return rate(a, [&](std::uint64_t i) {
    thread_local Scratch scratch;
    thread_local const Buffer to = host_buffer(augmentation.output().size());
    const auto choose = [&](Shape image) { return augmentation.random(image, random, i, 0); };
    if (a.stage == "sample") return augmentation.apply(i % set.size(), choose, scratch, to);
    set.cut(
        i % set.size(),
        [&](Shape image) {
          const Framing framing = choose(image);
          return Cut{framing.region, a.side, a.side, {0, 0, a.side, a.side}};
        },
        scratch);
  });
}

}  // namespace

int main(int count, char** words) try {
  if (count != 7) return 2;
  fmt::print("{:.1f}\n", measure({words[1], words[2], words[3], std::atoi(words[4]),
                                  std::atoi(words[5]), std::atof(words[6])}));
  return 0;
} catch (const Error& error) {
  std::fputs(fmt::format("picture_stages: {}\n", error.what()).c_str(), stderr);
  return int(error.exit_code());
}
