// JPEG pictures, by libjpeg-turbo.
#pragma once

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <vector>

#include <jpeglib.h>

#include "pictures/picture_reader.h"

namespace easgd {

/// Grey, colour and printing colours, of any sampling, baseline or progressive. A picture whose
/// data end too early, or cannot be what was written, is refused at the line where that is found;
/// what else libjpeg-turbo warns of is passed over.
class JpegReader final : public PictureReader {
 public:
  JpegReader();
  ~JpegReader() override;
  JpegReader(const JpegReader&) = delete;

  static bool is_one(std::span<const std::uint8_t> bytes);

  void open(std::span<const std::uint8_t> bytes) override;
  Shape shape() const override;
  Orientation orientation() const override { return orientation_; }
  int reduction(int most) const override;
  void begin(int reduction, PictureRange lines, PictureRange columns) override;
  const std::uint8_t* line() override;
  void close() override;

 private:
  /// What libjpeg calls when it cannot go on; it must not come back from there.
  struct Errors : jpeg_error_mgr {
    std::jmp_buf before;
    char text[JMSG_LENGTH_MAX];
    bool is_at_lines;  ///< the header has been read, and scans that are kept
    bool is_in_header = false;
  };
  struct Progress : jpeg_progress_mgr {};

  template <class Call>
  void guarded(const Call& call);
  [[noreturn]] static void fail(j_common_ptr info);
  static void warn(j_common_ptr info, int level);
  static void check_scans(j_common_ptr info);
  void find_orientation();

  jpeg_decompress_struct info_{};
  Errors errors_{};
  Progress progress_{};
  Orientation orientation_;
  std::vector<std::uint8_t> decoded_, pixels_;  // a line as it is decoded, and in three channels
  int first_ = 0;                               // column of `decoded_` that is wanted first
  int wanted_ = 0;                              // columns
};

}  // namespace easgd
