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
    """Return rows @ matrix, summed over the columns of `rows` from first to last; f4[n, k].

    Four terms of each sum are added at a time, one after the other; four zeros change no sum.
    """
    out = np.empty((rows.shape[0], matrix.shape[1]), np.float32)
    sums = np.empty(matrix.shape[1], np.float32)
    fours = rows.shape[1] // 4 * 4
    for row in range(rows.shape[0]):
        sums[:] = 0
        for at in range(0, fours, 4):
            one, two, three, four = rows[row, at], rows[row, at + 1], rows[row, at + 2], rows[row, at + 3]
            if one != 0 or two != 0 or three != 0 or four != 0:
                for to in range(sums.shape[0]):
                    half = sums[to] + one * matrix[at, to] + two * matrix[at + 1, to]
                    sums[to] = half + three * matrix[at + 2, to] + four * matrix[at + 3, to]
        for at in range(fours, rows.shape[1]):
            for to in range(sums.shape[0]):
                sums[to] += rows[row, at] * matrix[at, to]
        out[row] = sums
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
    fours = pixels.shape[0] // 4 * 4
    for row in range(0, fours, 4):  # side by side: a sum that is still being written makes the next term wait
        for pixel in range(cell_of.shape[0]):
            cell = cell_of[pixel]
            for beside in range(4):
                out[row + beside, cell] += pixels[row + beside, pixel]
    for row in range(fours, pixels.shape[0]):
        for pixel in range(cell_of.shape[0]):
            out[row, cell_of[pixel]] += pixels[row, pixel]
    for row in range(pixels.shape[0]):
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
    """Return the standard deviation of each row; f4[n]. Four rows side by side: one sum alone waits for itself."""
    out = np.empty(pixels.shape[0], np.float32)
    last = pixels.shape[0] - 1
    for row in range(0, pixels.shape[0], 4):
        _spreads(pixels, (row, min(row + 1, last), min(row + 2, last), min(row + 3, last)), out)
    return out


@compiled
def _spreads(pixels: Floats, rows: tuple[int, int, int, int], out: Floats) -> None:
    one, two, three, four = rows
    count = pixels.shape[1]
    sum_1, sum_2, sum_3, sum_4 = 0.0, 0.0, 0.0, 0.0
    for pixel in range(count):
        sum_1 += pixels[one, pixel]
        sum_2 += pixels[two, pixel]
        sum_3 += pixels[three, pixel]
        sum_4 += pixels[four, pixel]
    mean_1, mean_2, mean_3, mean_4 = sum_1 / count, sum_2 / count, sum_3 / count, sum_4 / count
    sum_1, sum_2, sum_3, sum_4 = 0.0, 0.0, 0.0, 0.0
    for pixel in range(count):
        sum_1 += (pixels[one, pixel] - mean_1) ** 2
        sum_2 += (pixels[two, pixel] - mean_2) ** 2
        sum_3 += (pixels[three, pixel] - mean_3) ** 2
        sum_4 += (pixels[four, pixel] - mean_4) ** 2
    out[one], out[two] = np.sqrt(sum_1 / count), np.sqrt(sum_2 / count)
    out[three], out[four] = np.sqrt(sum_3 / count), np.sqrt(sum_4 / count)


@compiled
def roughness(pixels: Floats, height: int, width: int, channels: int, first: bool) -> Floats:
    """Return mean |x - blur3x3(x)| of images f4[n, H * W * channels]; beyond the edge the nearest pixel counts.

    `first`: channels come before rows and columns. Source: own; a row of neighbours at a time, summed pixel by pixel.
    """
    count, stride = pixels.shape[0], (width + 2) * channels
    out = np.empty(count, np.float32)
    padded = np.empty((height + 2) * stride)
    apart = np.zeros((4, height * stride))
    for image in range(0, count, 4):
        some = min(4, count - image)
        for at in range(some):
            _pad(pixels[image + at], (height, width, channels, first), padded)
            _depart(padded, stride, channels, apart[at, : height * stride - 2 * channels])
        _add_up(apart, (height, width, channels), out[image : image + some])
    return out


@compiled
def _pad(pixels: Floats, sizes: tuple[int, int, int, bool], padded: np.ndarray) -> None:
    """Lay an image out row by row, channels last, with its edge repeated."""
    height, width, channels, first = sizes
    right, down, next_channel = (1, width, height * width) if first else (channels, width * channels, 1)
    stride = (width + 2) * channels
    for y in range(height):
        row = padded[(y + 1) * stride : (y + 2) * stride]
        for channel in range(channels):
            start = y * down + channel * next_channel
            for x in range(width):
                row[(x + 1) * channels + channel] = pixels[start + x * right]
            row[channel] = pixels[start]
            row[(width + 1) * channels + channel] = pixels[start + (width - 1) * right]
    for at in range(stride):
        padded[at] = padded[stride + at]
        padded[(height + 1) * stride + at] = padded[height * stride + at]


@compiled
def _depart(padded: np.ndarray, stride: int, channels: int, out: np.ndarray) -> None:
    """Write |x - mean of the nine around it|; the nine are added from upper left to lower right."""
    count = out.shape[0]
    upper, itself, lower = padded[:], padded[stride:], padded[2 * stride :]
    upper_2, itself_2, lower_2 = upper[channels:], itself[channels:], lower[channels:]
    upper_3, itself_3, lower_3 = upper_2[channels:], itself_2[channels:], lower_2[channels:]
    for at in range(count):
        around = upper[at] + upper_2[at] + upper_3[at] + itself[at] + itself_2[at] + itself_3[at]
        out[at] = abs(itself_2[at] - (around + lower[at] + lower_2[at] + lower_3[at]) / 9.0)


@compiled
def _add_up(apart: np.ndarray, sizes: tuple[int, int, int], out: Floats) -> None:
    """Write the means of up to four images, side by side: one sum alone waits for itself."""
    height, width, channels = sizes
    stride = (width + 2) * channels
    sum_1, sum_2, sum_3, sum_4 = 0.0, 0.0, 0.0, 0.0
    for y in range(height):
        for x in range(y * stride, y * stride + width * channels, channels):
            of_1, of_2, of_3, of_4 = 0.0, 0.0, 0.0, 0.0
            for at in range(x, x + channels):
                of_1 += apart[0, at]
                of_2 += apart[1, at]
                of_3 += apart[2, at]
                of_4 += apart[3, at]
            sum_1, sum_2, sum_3, sum_4 = sum_1 + of_1, sum_2 + of_2, sum_3 + of_3, sum_4 + of_4
    sums = (sum_1, sum_2, sum_3, sum_4)
    for image in range(out.shape[0]):
        out[image] = sums[image] / (height * width * channels)


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
    square = np.empty(cells_t.shape[1], np.float32)
    fours = cells_t.shape[0] // 4 * 4
    for row in range(ux.shape[0]):
        square[:] = 0
        for axis in range(0, fours, 4):  # four terms of each sum at a time, one after the other
            one, two, three, four = ux[row, axis], ux[row, axis + 1], ux[row, axis + 2], ux[row, axis + 3]
            for place in range(square.shape[0]):
                half = square[place] + (one - cells_t[axis, place]) ** 2 + (two - cells_t[axis + 1, place]) ** 2
                half += (three - cells_t[axis + 2, place]) ** 2
                square[place] = half + (four - cells_t[axis + 3, place]) ** 2
        for axis in range(fours, cells_t.shape[0]):
            for place in range(square.shape[0]):
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
