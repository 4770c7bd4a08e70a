#include "data/loader.h"

#include <memory>

#include "data/training_assembly.h"

namespace easgd {

Loader::Loader(const Dataset& set, const LoaderOptions& options)
    : Loader(std::make_unique<TrainingAssembly>(set, options), options.spawn) {}

Loader::Loader(std::unique_ptr<const TrainingAssembly> assembly, const Spawn& spawn)
    : shape_(assembly->shape()), ring_(std::move(assembly), spawn) {}

}  // namespace easgd
