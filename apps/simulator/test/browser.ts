import { type Browser, chromium, type Page } from 'playwright-core'

/** A real Chromium, that calls nobody. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A page of a report, and what it wanted that is not in it: nothing. */
export async function openPage(
  browser: Browser,
  html: string,
  look: { colorScheme: 'light' | 'dark'; width?: number },
): Promise<{ page: Page; asked: string[] }> {
  const { colorScheme, width = 1200 } = look
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } })
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  page.on('pageerror', (error) => asked.push(error.message))
  await page.setContent(html)
  return { page, asked }
}
