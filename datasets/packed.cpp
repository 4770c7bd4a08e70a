// Pictures that `easgd pack` has put into a few large files.
#include "data/dataset_reader.h"
#include "data/location.h"
#include "pictures/packed_set.h"

namespace easgd {
namespace {

constexpr const char* kName = "packed";
const DatasetFiles kFiles{{"packed"}, {{kPackIndex}}};

class Packed final : public DatasetReader {
 public:
  std::string name() const override { return kName; }
  std::optional<DatasetFiles> files() const override { return kFiles; }

  DataSplit read(const DatasetOptions& options) const override {
    const std::filesystem::path folder = find_folder(kName, kFiles, options.dir);
    PackedHalves halves = open_pack(folder, options.on_bad_image);
    return {std::move(halves.train), std::move(halves.test), folder.string(),
            std::move(halves.classes)};
  }
};

const RegisteredDataset kRegistered([] { return std::make_unique<Packed>(); });

}  // namespace
}  // namespace easgd
