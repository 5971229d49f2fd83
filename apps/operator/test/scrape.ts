/** The metrics of a process: the value of each name with its labels, as exposed. */
export type Scraped = ReadonlyMap<string, number>

/** Scrapes a process, as Prometheus does. */
export async function scrape(admin: string): Promise<Scraped> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), Number(line.slice(at + 1))]
      }),
  )
}

/** The names of our own series, with their labels. */
export const seriesOf = (scraped: Scraped): string[] =>
  [...scraped.keys()].filter((name) => name.startsWith('placeorder_'))
