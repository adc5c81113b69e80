package place

// The heaps of this package are plain slices, the least at 0. container/heap asks through an
// interface at every step, which is most of what a placement would cost.

func heapify[T any](h []T, less func(a, b T) bool) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		down(h, i, less)
	}
}

// down moves the element at i to where it belongs, when it may have become greater.
func down[T any](h []T, i int, less func(a, b T) bool) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && less(h[child+1], h[child]) {
			child++
		}
		if !less(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// pop puts the last element in the place of the least, without moving it to where it belongs.
func pop[T any](h []T) []T {
	last := len(h) - 1
	h[0] = h[last]
	return h[:last]
}
