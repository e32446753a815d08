#!/usr/bin/env python3
"""PyTorch's SummaryWriter for the program beside it, which asks for one run after the other.

Each line on standard input is a JSON object: `directory`, `scalars`, and `each`, whether every call is to be timed. Each line on standard
output answers it: `seconds` from opening to having closed, and `nanoseconds`, the calls' own.
"""

import json
import sys
import time

from torch.utils.tensorboard import SummaryWriter

TAGS = [f"train/metric_0{k}" for k in range(10)]


def run(directory, scalars, each):
    values = [0.25 * i for i in range(scalars)]
    clock, nanoseconds = time.perf_counter_ns, []
    begin = clock()
    writer = SummaryWriter(directory)
    for i in range(scalars):
        if each:
            before = clock()
            writer.add_scalar(TAGS[i % 10], values[i], i // 10)
            nanoseconds.append(clock() - before)
        else:
            writer.add_scalar(TAGS[i % 10], values[i], i // 10)
    writer.close()
    return {"seconds": 1e-9 * (clock() - begin), "nanoseconds": nanoseconds}


for line in sys.stdin:
    print(json.dumps(run(**json.loads(line))), flush=True)
