// A picture that is decoded line by line, so that what nobody wants is not decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/shape.h"
#include "pictures/orientation.h"

namespace easgd {

/// Pixels that a picture may have. One of more is a mistake, or made to fill memory.
constexpr std::size_t kMostPixels = 100'000'000;

/// The same of one that is in memory as a whole while it is decoded: progressive JPEG, interlaced
/// PNG.
constexpr std::size_t kMostWhole = kMostPixels / 5;

/// Lines and columns [begin, end) of a picture.
struct PictureRange {
  int begin = 0, end = 0;
};

/// Thread: belongs to one thread, which may keep it for further pictures.
/// Throws: DataError from all members, without a name: what is wrong with the picture;
/// std::bad_alloc, which says nothing of it.
class PictureReader {
 public:
  virtual ~PictureReader() = default;

  /// Reads what a picture says of itself. The bytes have to stay until the next one is opened.
  virtual void open(std::span<const std::uint8_t> bytes) = 0;

  /// Three channels, whatever the picture has; sides as stored.
  virtual Shape shape() const = 0;
  virtual Orientation orientation() const = 0;
  /// The largest number, at most `most`, by which the picture's sides can be divided at no cost;
  /// they are then rounded up.
  virtual int reduction(int most) const = 0;

  /// Begins to decode, with sides divided by `reduction`.
  virtual void begin(int reduction, PictureRange lines, PictureRange columns) = 0;
  /// The next of these lines: three bytes for each of the columns. Valid until the next call.
  virtual const std::uint8_t* line() = 0;
  /// Gives back the memory that the picture took. open() does so, too.
  virtual void close() = 0;
};

/// For the kind of picture that the bytes are.
/// Thread: the reader is the calling thread's, and is there until this is called again.
/// Throws: DataError if they are no picture that can be read.
PictureReader& open_picture(std::span<const std::uint8_t> bytes);

}  // namespace easgd
