//go:build race

package sim

// seeds is how many are simulated unless SEEDS says otherwise: under the race detector each takes
// ten times as long.
const seeds = 20
