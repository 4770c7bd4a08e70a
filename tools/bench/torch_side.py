"""torch_side.py STEPS THREADS f32|tf32|bf16 cpu|cuda NETWORK WAY...: the version of PyTorch, and for each way images a
second of training steps with batches of 128; nan, with the reason on the standard error, where it cannot.
Run by sides.py with a python that has torch."""

import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

steps, threads, precision, device, network = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
torch.set_num_threads(threads)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "f32"

class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.short = nn.Identity() if stride == 1 else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.short(x))

class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.BatchNorm2d(4 * width)
        self.short = nn.Identity() if inputs == 4 * width else nn.Sequential(
            nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))
    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.short(x))

def build():
    if network == "cifar7":
        return nn.Sequential(nn.Conv2d(3, 64, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 128, 5), nn.ReLU(),
                             nn.MaxPool2d(2), nn.Conv2d(128, 64, 3), nn.ReLU(), nn.Flatten(),
                             nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))
    if network == "lenet":
        return nn.Sequential(nn.Conv2d(3, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2),
                             nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))
    if network == "vgg":
        layers, inputs = [], 3
        for widths in (64,), (128,), (256, 256), (512, 512):
            for width in widths:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 10))
    if network == "resnet50":
        blocks, inputs = [], 64
        for width, count, stride in (64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2):
            for i in range(count):
                blocks.append(Bottleneck(inputs, width, stride if i == 0 else 1))
                inputs = 4 * width
        return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
                             nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                             nn.Linear(inputs, 10))
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512] if network == "resnet18" else [16] * 4 + [32] * 3 + [64] * 3
    blocks = [Block(a, b, 1 if a == b else 2) for a, b in zip(widths, widths[1:])]
    return nn.Sequential(nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), *blocks,
                         nn.AvgPool2d(4 if network == "resnet18" else 8), nn.Flatten(), nn.Linear(widths[-1], 10))

side = {"cifar7": 28, "lenet": 28, "resnet50": 224}.get(network, 32)

def finish():
    if device == "cuda": torch.cuda.synchronize()

def measure(how):
    torch.manual_seed(1)
    net = build().to(device)
    x, labels = torch.randn(128, 3, side, side, device=device), torch.randint(10, (128,), device=device)
    if how != "plain":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    model = torch.compile(net) if "compiled" in how else net
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4,
                                fused=device == "cuda")
    def step():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            scores = model(x)
        F.cross_entropy(scores.float(), labels).backward()
        optimiser.step()
    if "graph" in how:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(5): step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph): step()
        step = graph.replay
    for _ in range(5): step()
    finish()
    start = time.perf_counter()
    for _ in range(steps): step()
    finish()
    return 128 * steps / (time.perf_counter() - start)

print(torch.__version__)
for how in sys.argv[6:]:
    try:
        print(measure(how), flush=True)
    except Exception as error:
        print(f"{how}: {error}", file=sys.stderr)
        print("nan", flush=True)
