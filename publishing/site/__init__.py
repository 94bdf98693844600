"""The readers' site: pages, feeds, sitemap, and what crawlers ask for."""
