import { type Browser, chromium, type Page } from 'playwright-core'

/** A real Chromium without background network requests. */
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

/**
 * Opens a report; `requested` collects network requests and script errors, of which it has none.
 */
export async function openPage(
  browser: Browser,
  html: string,
  options: { colorScheme: 'light' | 'dark'; width?: number },
): Promise<{ page: Page; requested: string[] }> {
  const { colorScheme, width = 1200 } = options
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } })
  const requested: string[] = []
  page.on('request', (request) => requested.push(request.url()))
  page.on('pageerror', (error) => requested.push(error.message))
  await page.setContent(html)
  return { page, requested }
}
