#!/usr/bin/env python3
"""Prints, as JSON, what TensorBoard finds in a run's event files besides scalars.

    check_kinds.py DIR

DIR is a log directory with one run in it. Everything is read by TensorBoard's own code: histograms, images and the graph by its
EventAccumulator; texts, PR curves and layouts as the tensors that its plugins are given, with their metadata parsed by
those plugins; hyperparameters as the rows that the backend of the page HParams answers with. Exits with 1 where TensorBoard
refuses any of it.

Needs the packages `tensorboard`, without TensorFlow, and `numpy`.
"""

import argparse
import json
import pathlib

from google.protobuf import json_format
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    get_experiment,
    list_session_groups,
)
from tensorboard.plugins.pr_curve import metadata as pr_curve_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.util import tensor_util

LAYOUT_TAG = "custom_scalars__config__"


def histograms(events):
    """Of every tag the statistics, limits and counts of every point."""
    return {
        tag: [
            {
                "step": point.step,
                "statistics": [getattr(point.histogram_value, name) for name in ("min", "max", "num", "sum", "sum_squares")],
                "limits": list(point.histogram_value.bucket_limit),
                "counts": list(point.histogram_value.bucket),
            }
            for point in events.Histograms(tag)
        ]
        for tag in events.Tags()["histograms"]
    }


def images(events):
    return {
        tag: [
            {"step": point.step, "size": [point.width, point.height], "file": list(point.encoded_image_string)}
            for point in events.Images(tag)
        ]
        for tag in events.Tags()["images"]
    }


def tensors(events, tag):
    return [(point.step, tensor_util.make_ndarray(point.tensor_proto)) for point in events.Tensors(tag)]


def texts(events):
    found = {}
    for tag, content in events.PluginTagToContent("text").items():
        text_metadata.parse_plugin_metadata(content)
        found[tag] = [[step, [text.decode() for text in array.tolist()]] for step, array in tensors(events, tag)]
    return found


def pr_curves(events):
    found = {}
    for tag, content in events.PluginTagToContent("pr_curves").items():
        thresholds = pr_curve_metadata.parse_plugin_metadata(content).num_thresholds
        found[tag] = [[step, thresholds, array.tolist()] for step, array in tensors(events, tag)]
    return found


def layout(events):
    if list(events.PluginTagToContent("custom_scalars")) != [LAYOUT_TAG]:
        raise ValueError("there is not exactly one layout")
    ((_, array),) = tensors(events, LAYOUT_TAG)
    return json_format.MessageToDict(layout_pb2.Layout.FromString(array.item()))


def graph(events):
    return [[node.name, node.op, list(node.input)] for node in events.Graph().node]


def page_of_hparams(directory):
    """What the page is answered when it asks for the experiment, and for its rows with all metrics."""
    runs = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(directory).Reload()
    provider = data_provider.MultiplexerDataProvider(runs, directory)
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    context = RequestContext()
    experiment = get_experiment.Handler(context, backend, "", api_pb2.GetExperimentRequest()).run()
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=100,
        aggregation_type=api_pb2.AGGREGATION_AVG,
        col_params=[api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos],
        allowed_statuses=api_pb2.Status.values(),
    )
    rows = list_session_groups.Handler(context, backend, "", request).run()
    return {
        "columns": {info.name: api_pb2.DataType.Name(info.type) for info in experiment.hparam_infos},
        "rows": [json_format.MessageToDict(group) for group in rows.session_groups],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    directory = parser.parse_args().directory
    (run,) = {file.parent for file in pathlib.Path(directory).rglob("events.out.tfevents.*")}
    # Zero means all of them. By default TensorBoard keeps a sample.
    sizes = {"histograms": 0, "images": 0, "tensors": 0}
    events = EventAccumulator(str(run), size_guidance=sizes)
    events.Reload()
    parts = {part.__name__: part(events) for part in (histograms, images, texts, pr_curves, layout, graph)}
    print(json.dumps({**parts, "hparams": page_of_hparams(directory)}))


if __name__ == "__main__":
    main()
