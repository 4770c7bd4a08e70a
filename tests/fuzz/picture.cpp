// A picture of any kind: parts of it, as training and tests want them. It must not take more memory
// or time than so small a file can justify.
#include "pictures/decode.h"
#include "target.h"

namespace easgd::testing {
namespace {

void cut(std::span<const std::uint8_t> file, const ChooseCut& choose, Shape expected) {
  Scratch scratch;
  accepts([&] {
    const Image image = decode(file, choose, scratch);
    expect(image.shape == expected, "it is as large as it was wanted");
    expect(image.pixels.size() == expected.size(), "it is whole");
  });
}

void read(std::string_view bytes) {
  const std::span file(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  const Region all{0, 0, 8, 8};
  cut(file,
      [&](Shape image) {
        return Cut{{0, 0, image.height, image.width}, 8, 8, all};
      },
      {3, 8, 8});
  cut(file,
      [&](Shape image) {
        const int top = image.height / 3, left = image.width / 2;
        return Cut{{top, left, image.height - top, image.width - left}, 40, 30, {9, 7, 20, 21}};
      },
      {3, 20, 21});
}

const RegisteredTarget kRegistered("picture", {read});

}  // namespace
}  // namespace easgd::testing
