#include "nn/global_avgpool.h"

#include "nn/pool2d.h"

namespace easgd {

std::vector<std::shared_ptr<Layer>> GlobalAvgPool::parts(Shape input,
                                                         const std::string& from) const {
  auto pool = std::make_shared<AvgPool2d>();
  pool->kernel = pool->stride = {input.height, input.width};
  pool->name = name;
  pool->from = from;
  pool->origin = origin;
  return {pool};
}

namespace {
const auto kRegistered = register_layer<GlobalAvgPool>();
}

}  // namespace easgd
