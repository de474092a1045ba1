// Which of many odd values a run sends.

const isWhole = Number(process.env['YUNMEN_TORTURE'] ?? '0') > 0;

/** Gives of each list every fourth value, from another one on each time; under torture all of them. */
export function createSampler(): <T>(values: readonly T[]) => readonly T[] {
  let turn = 0;
  return (values) => {
    turn++;
    return isWhole ? values : values.filter((_, at) => (at + turn) % 4 === 0);
  };
}
