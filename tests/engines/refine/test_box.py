# SPDX-License-Identifier: Apache-2.0
"""The box holds all that is known of the object, along the axes of the start."""

from dataclasses import replace

import numpy as np

from recon_node.engines.refine.box import MARGIN, measured_points, refinement_box


def test_mesh_and_measurements_lie_in_the_box(keyframes):
    views = keyframes(3)
    start = views[0].result
    box = refinement_box(start, views)
    np.testing.assert_allclose(box.R, start.T_world_object[:3, :3], atol=1e-12)
    T = start.T_world_object
    world = start.mesh.vertices @ T[:3, :3].T + T[:3, 3]
    assert np.abs(box.inverse().apply(world)).max() <= 1 / MARGIN + 1e-6
    for view in views:
        inside = np.abs(box.inverse().apply(measured_points(view))).max(axis=1) <= 1
        assert inside.mean() > 0.98


def test_a_few_stray_depths_do_not_blow_the_box_up(keyframes):
    views = keyframes(1)
    before = refinement_box(views[0].result, views).scale
    depth = views[0].view.depth.copy()
    row, column = np.argwhere(views[0].view.mask)[0]
    depth[row, column] = 5.0
    stray = [replace(views[0], view=replace(views[0].view, depth=depth))]
    assert refinement_box(stray[0].result, stray).scale < 1.05 * before


def test_measured_points_lie_on_the_object(keyframes):
    points = measured_points(keyframes(2)[1])
    low, high = points.min(axis=0), points.max(axis=0)
    assert (low > [0.155, -0.135, 0.245]).all() and (high < [0.255, -0.045, 0.375]).all()


def test_without_depth_nothing_is_measured(keyframes):
    view = keyframes(1)[0]
    assert measured_points(replace(view, view=replace(view.view, depth=None))).shape == (0, 3)
