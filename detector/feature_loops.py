"""The compiled loops behind `detector.features`: one row after another, each sum in one fixed order.

Inner loops run over outputs, not over the terms of a sum, so the compiler may use vector instructions
without changing the order in which any one sum is taken.
"""

import numpy as np

from detector.compiled import compiled
from detector.geometry import Floats

VIEW_CLIP = np.float32(1e4)  # scaled inputs beyond it are cut: no infinity may reach a distance
FOLD_CLIP = np.float32(8.0)  # standard deviations at which a table's column stops counting
COORD_LIMIT = 32_767  # int16


@compiled
def scaled(inputs: Floats, offset: Floats, scale: Floats) -> Floats:
    """Return (inputs - offset) * scale, held within +-VIEW_CLIP; f4[n, D]."""
    out = np.empty_like(inputs)
    for row in range(inputs.shape[0]):
        for column in range(inputs.shape[1]):
            value = (inputs[row, column] - offset[column]) * scale[column]
            out[row, column] = min(max(value, -VIEW_CLIP), VIEW_CLIP)
    return out


@compiled
def projected(rows: Floats, matrix: Floats) -> Floats:
    """Return rows @ matrix, summed over the columns of `rows` from first to last; f4[n, k]."""
    out = np.zeros((rows.shape[0], matrix.shape[1]), np.float32)
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            value = rows[row, column]
            if value != 0:
                for to in range(matrix.shape[1]):
                    out[row, to] += value * matrix[column, to]
    return out


@compiled
def chosen(inputs: Floats, coords: np.ndarray, offset: Floats, scale: Floats) -> np.ndarray:
    """Return the kept raw coordinates in thousandths; i2[n, C]."""
    out = np.zeros((inputs.shape[0], coords.shape[0]), np.int16)
    for row in range(inputs.shape[0]):
        for place in range(coords.shape[0]):
            column = coords[place]
            value = 1000.0 * (inputs[row, column] - offset[column]) * scale[place]
            out[row, place] = np.int16(round(min(max(value, -COORD_LIMIT), COORD_LIMIT)))
    return out


@compiled
def pooled(pixels: Floats, cell_of: np.ndarray, cells: int, channels: int) -> Floats:
    """Return the mean of each pixel block less the mean of its colour's blocks, over the norm + 0.05; f4[n, cells].

    0.05 is on the scale of images of range 1: a flat image stays near zero and isn't blown up to noise.
    """
    out = np.zeros((pixels.shape[0], cells), np.float32)
    size = np.zeros(cells, np.float32)
    for pixel in range(cell_of.shape[0]):
        size[cell_of[pixel]] += 1
    for row in range(pixels.shape[0]):
        for pixel in range(cell_of.shape[0]):
            out[row, cell_of[pixel]] += pixels[row, pixel]
        _normed(out[row], size, channels)
    return out


@compiled
def _normed(sums: Floats, size: Floats, channels: int) -> None:
    mean = np.zeros(channels)
    for cell in range(sums.shape[0]):
        sums[cell] /= size[cell]
        mean[cell % channels] += sums[cell]
    mean *= channels / sums.shape[0]
    square = 0.0
    for cell in range(sums.shape[0]):
        sums[cell] -= np.float32(mean[cell % channels])
        square += sums[cell] * sums[cell]
    factor = np.float32(1.0 / (np.sqrt(square) + 0.05))
    for cell in range(sums.shape[0]):
        sums[cell] *= factor


@compiled
def folded(columns: Floats, bucket: np.ndarray, sign: Floats, width: int) -> Floats:
    """Return the columns, held within +-8, added up by bucket with their signs (count sketch); f4[n, width]."""
    out = np.zeros((columns.shape[0], width), np.float32)
    for row in range(columns.shape[0]):
        for column in range(columns.shape[1]):
            value = min(max(columns[row, column], -FOLD_CLIP), FOLD_CLIP)
            out[row, bucket[column]] += sign[column] * value
    return out


@compiled
def contrast(pixels: Floats) -> Floats:
    """Return the standard deviation of each row; f4[n]."""
    out = np.empty(pixels.shape[0], np.float32)
    for row in range(pixels.shape[0]):
        total, square = 0.0, 0.0
        for pixel in range(pixels.shape[1]):
            total += pixels[row, pixel]
        mean = total / pixels.shape[1]
        for pixel in range(pixels.shape[1]):
            square += (pixels[row, pixel] - mean) ** 2
        out[row] = np.sqrt(square / pixels.shape[1])
    return out


@compiled
def roughness(planes: np.ndarray) -> Floats:
    """Return mean |x - blur3x3(x)| of images f4[n, H, W, channels]; beyond the edge the nearest pixel counts."""
    count, height, width, channels = planes.shape
    out = np.empty(count, np.float32)
    for image in range(count):
        total = 0.0
        for y in range(height):
            for x in range(width):
                total += _departure(planes[image], y, x)
        out[image] = total / (height * width * channels)
    return out


@compiled
def _departure(plane: np.ndarray, y: int, x: int) -> float:
    height, width, channels = plane.shape
    total = 0.0
    for channel in range(channels):
        around = 0.0
        for down in range(-1, 2):
            for right in range(-1, 2):
                around += plane[min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1), channel]
        total += abs(plane[y, x, channel] - around / 9.0)
    return total


@compiled
def off_grid(inputs: Floats, levels: Floats, start: np.ndarray) -> Floats:
    """Return the share of a table's discrete columns that hold a value the population never sent; f4[n]."""
    out = np.full(inputs.shape[0], np.nan, np.float32)
    discrete = 0
    for column in range(inputs.shape[1]):
        discrete += start[column + 1] > start[column]
    if discrete == 0:
        return out
    for row in range(inputs.shape[0]):
        unseen = 0
        for column in range(inputs.shape[1]):
            run = levels[start[column] : start[column + 1]]
            place = np.searchsorted(run, inputs[row, column])
            if run.shape[0] > 0 and (place == run.shape[0] or run[place] != inputs[row, column]):
                unseen += 1
        out[row] = unseen / discrete
    return out


@compiled
def rest(centred: Floats, ux: Floats) -> Floats:
    """Return what the principal axes leave over of each centred row: sqrt(|u|^2 - |ux|^2); f4[n]."""
    out = np.empty(centred.shape[0], np.float32)
    for row in range(centred.shape[0]):
        square = 0.0
        for column in range(centred.shape[1]):
            square += np.float64(centred[row, column]) ** 2
        for axis in range(ux.shape[1]):
            square -= np.float64(ux[row, axis]) ** 2
        out[row] = np.sqrt(max(square, 0.0))
    return out


@compiled
def nearest(ux: Floats, cells_t: Floats) -> tuple[np.ndarray, Floats]:
    """Return the nearest cell of each row, i4[n], and the distance to it, f4[n]; cells_t is f4[P, M]."""
    cell = np.empty(ux.shape[0], np.int32)
    distance = np.empty(ux.shape[0], np.float32)
    for row in range(ux.shape[0]):
        square = np.zeros(cells_t.shape[1], np.float32)
        for axis in range(cells_t.shape[0]):
            for place in range(cells_t.shape[1]):
                square[place] += (ux[row, axis] - cells_t[axis, place]) ** 2
        cell[row] = np.argmin(square)
        distance[row] = np.sqrt(square[cell[row]])
    return cell, distance


@compiled
def lead(answers: Floats, column: np.ndarray) -> Floats:
    """Return the surrogate's answer for the given column less its best other one; NaN where it knows none."""
    out = np.full(answers.shape[0], np.nan, np.float32)
    for row in range(answers.shape[0]):
        if column[row] < 0 or answers.shape[1] <= 1:
            continue
        other = np.float32(-np.inf)
        for place in range(answers.shape[1]):
            if place != column[row]:
                other = max(other, answers[row, place])
        out[row] = answers[row, column[row]] - other
    return out
